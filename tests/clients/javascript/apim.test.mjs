// What keyless manages in API Management, by the client that Microsoft ships for JavaScript.
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { ApiManagementClient } from '@azure/arm-apimanagement';
import { ClientSecretCredential, EnvironmentCredential } from '@azure/identity';

const env = process.env;
const at = ['harbour-rg', 'harbour'];
// A private cloud is not in Entra's own list of instances.
const authority = { authorityHost: env.EMULATOR_AUTHORITY, disableInstanceDiscovery: true };
const soon = { updateIntervalInMs: 1 };

function client(credential) {
  const own = new ClientSecretCredential(
    env.AZURE_TENANT_ID, env.AZURE_CLIENT_ID, env.AZURE_CLIENT_SECRET, authority);
  // Without credentialScopes the client asks for a token for the endpoint itself.
  return new ApiManagementClient(credential ?? own, env.AZURE_SUBSCRIPTION_ID, { endpoint: env.EMULATOR_ARM });
}

async function all(pages) {
  const found = [];
  for await (const one of pages) found.push(one);
  return found;
}

async function refused(status, code, call) {
  const error = await call().then(() => assert.fail('was not refused'), (error) => error);
  assert.equal(error.statusCode, status, error.message);
  assert.equal(error.code, code);
  return error;
}

test('a secret logs in, the environment is enough, a wrong secret is refused', async () => {
  const [service] = await all(client().apiManagementService.list());
  assert.equal(service.name, 'harbour');
  assert.equal(service.provisioningState, 'Succeeded');
  const fromEnvironment = new EnvironmentCredential(authority);
  assert.equal((await all(client(fromEnvironment).apiManagementService.listByResourceGroup(at[0]))).length, 1);
  const wrong = new ClientSecretCredential(env.AZURE_TENANT_ID, env.AZURE_CLIENT_ID, 'not-the-Secret', authority);
  await assert.rejects(wrong.getToken('https://management.azure.com/.default'), /AADSTS7000215/);
});

test('the service changes in an operation', async () => {
  const services = client().apiManagementService;
  const changed = await services.beginUpdateAndWait(...at, { publisherName: 'Harbour' }, soon);
  assert.equal(changed.publisherName, 'Harbour');
  assert.ok(changed.identity.principalId);
});

test('named values: operations, secrets, pages, ETags', async () => {
  const values = client().namedValue;
  for (let i = 0; i < 7; i += 1) {
    await values.beginCreateOrUpdateAndWait(...at, `js-${i}`, { displayName: `js-${i}`, value: 'x', secret: i === 0 }, soon);
  }
  const listed = await all(values.listByService(...at));
  assert.equal(listed.filter((one) => one.name.startsWith('js-')).length, 7);
  assert.equal(listed.find((one) => one.name === 'js-0').value, undefined);
  assert.equal((await values.listValue(...at, 'js-0')).value, 'x');
  const filtered = await all(values.listByService(...at, { filter: "startswith(displayName,'js-')", top: 2 }));
  assert.equal(filtered.length, 7);
  const { eTag } = await values.getEntityTag(...at, 'js-1');
  const changed = await values.beginUpdateAndWait(...at, 'js-1', eTag, { value: 'y' }, soon);
  assert.equal(changed.value, 'y');
  await refused(412, 'PreconditionFailed', () => values.delete(...at, 'js-1', eTag));
  for (let i = 0; i < 7; i += 1) await values.delete(...at, `js-${i}`, '*');
  await refused(404, 'ResourceNotFound', () => values.get(...at, 'js-1'));
});

test('a Key Vault reference is fetched and fetched again', async () => {
  const values = client().namedValue;
  const keyVault = { secretIdentifier: 'https://harbour-kv.vault.azure.net/secrets/tide-key' };
  const made = await values.beginCreateOrUpdateAndWait(...at, 'tide', { displayName: 'tide', secret: true, keyVault }, soon);
  assert.equal(made.keyVault.lastStatus.code, 'Success');
  const again = await values.beginRefreshSecretAndWait(...at, 'tide', soon);
  assert.equal(again.keyVault.lastStatus.code, 'Success');
  await values.delete(...at, 'tide', '*');
});

test('an API with operations, revisions, policies and a release', async () => {
  const apim = client();
  const api = await apim.api.beginCreateOrUpdateAndWait(
    ...at, 'tides', { displayName: 'Tides', path: 'tides', protocols: ['https'] }, soon);
  assert.equal(api.isCurrent, true);
  await apim.apiOperation.createOrUpdate(...at, 'tides', 'now', { displayName: 'Now', method: 'GET', urlTemplate: '/now' });
  const text = '<policies><inbound><base /><set-variable name="a" value="@(\"b\")" /></inbound></policies>';
  const made = await apim.apiOperationPolicy.createOrUpdate(...at, 'tides', 'now', 'policy', { value: text, format: 'rawxml' });
  assert.ok(made.eTag);
  const read = await apim.apiOperationPolicy.get(...at, 'tides', 'now', 'policy', { format: 'rawxml' });
  assert.match(read.value, /@\("b"\)/);
  const encoded = await apim.apiOperationPolicy.get(...at, 'tides', 'now', 'policy');
  assert.match(encoded.value, /&quot;b&quot;/);
  await apim.api.beginCreateOrUpdateAndWait(...at, 'tides;rev=2', { sourceApiId: api.id, path: 'tides' }, soon);
  const revisions = await all(apim.apiRevision.listByService(...at, 'tides'));
  assert.deepEqual(revisions.map((one) => [one.apiRevision, one.isCurrent]), [['1', true], ['2', false]]);
  await apim.apiRelease.createOrUpdate(...at, 'tides', 'second', { apiId: `${api.id};rev=2` });
  assert.equal((await apim.api.get(...at, 'tides')).apiRevision, '2');
  const index = await all(apim.allPolicies.listByService(...at));
  assert.ok(index.some((one) => one.referencePolicyId.endsWith('/operations/now/policies/policy')));
  await apim.api.beginDeleteAndWait(...at, 'tides', '*', { deleteRevisions: true, ...soon });
  await refused(404, 'ResourceNotFound', () => apim.api.get(...at, 'tides'));
});

test('backends, fragments, products and gateways', async () => {
  const apim = client();
  const backend = { url: 'https://tides.localhost', protocol: 'http', credentials: { header: { 'x-key': ['Plain-Key-5'] } } };
  const made = await apim.backend.createOrUpdate(...at, 'tides', backend);
  assert.deepEqual(made.credentials.header, { 'x-key': ['Plain-Key-5'] });
  const changed = await apim.backend.update(...at, 'tides', made.eTag, { description: 'Tide tables' });
  assert.equal(changed.description, 'Tide tables');
  await refused(412, 'PreconditionFailed', () => apim.backend.delete(...at, 'tides', made.eTag));
  await apim.backend.delete(...at, 'tides', changed.eTag);

  const fragment = { value: '<fragment><set-status code="204" /></fragment>', format: 'rawxml' };
  await apim.policyFragment.beginCreateOrUpdateAndWait(...at, 'quiet', fragment, soon);
  assert.equal((await all(apim.policyFragment.listByService(...at))).length, 1);
  const missing = '<policies><inbound><include-fragment fragment-id="nowhere" /></inbound></policies>';
  const error = await refused(400, 'ValidationError', () =>
    apim.policy.createOrUpdate(...at, 'policy', { value: missing, format: 'rawxml' }));
  assert.equal(error.details.error.details[0].target, 'include-fragment');
  await apim.policyFragment.delete(...at, 'quiet', '*');

  await apim.product.createOrUpdate(...at, 'open', { displayName: 'Open', state: 'published' });
  await apim.gateway.createOrUpdate(...at, 'pier', { locationData: { name: 'Pier 4' } });
  assert.equal((await apim.gateway.get(...at, 'pier')).locationData.name, 'Pier 4');
  await apim.gateway.delete(...at, 'pier', '*');
  await apim.product.delete(...at, 'open', '*');
});
