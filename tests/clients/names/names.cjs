// Names below `.localhost` lead to loopback (RFC 6761); see sitecustomize.py.
const dns = require('node:dns');

const ask = dns.lookup;
dns.lookup = (host, options, done) => {
  const [chosen, callback] = typeof options === 'function' ? [{}, options] : [options, done];
  const name = host.endsWith('.localhost') ? '127.0.0.1' : host;
  return ask(name, chosen, callback);
};
