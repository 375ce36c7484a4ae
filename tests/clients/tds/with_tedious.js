// tedious: TDS 7.4 and TDS 8 ("strict") in JavaScript, TLS by Node, passwords and tokens.

const assert = require("node:assert/strict");
const fs = require("node:fs");
const net = require("node:net");
const path = require("node:path");
const { Connection, Request, TYPES, ISOLATION_LEVEL } = require("tedious");

const PORT = Number(process.env.SQL_PORT);
const CA = fs.readFileSync(process.env.CA, "utf8");
const LOGINS = {
  admin: ["orders", "sqladmin", "Made-up-admin-1"],
  master: ["master", "sqladmin", "Made-up-admin-1"],
  app: ["orders", "orders_app", "Made-up-app-1"],
};

function password(userName, secret) {
  return { type: "default", options: { userName, password: secret } };
}

function token(variable) {
  return { type: "azure-active-directory-access-token", options: { token: process.env[variable] } };
}

// An open connection, or the error of its login.
function open(authentication, { database = "orders", server = "orders-sql", encrypt = true, seen = [], ...rest } = {}) {
  const host = `${server}.database.localhost`;
  const connection = new Connection({
    server: host,
    authentication,
    options: {
      database,
      encrypt,
      serverName: host,
      cryptoCredentialsDetails: { ca: CA },
      // The name need not resolve.
      connector: async () => {
        const socket = net.connect(PORT, "127.0.0.1");
        await new Promise((done, failed) => socket.once("connect", done).once("error", failed));
        return socket;
      },
      rowCollectionOnRequestCompletion: false,
      useUTC: true,
      connectTimeout: 30000,
      requestTimeout: 20000,
      ...rest,
    },
  });
  connection.on("errorMessage", ({ number, state }) => seen.push(state === 1 ? number : `${number}/${state}`));
  return new Promise((done, failed) => {
    connection.connect((error) => {
      connection.on("error", () => {});
      error ? failed(error) : done(connection);
    });
  });
}

function connect(who) {
  const [database, user, secret] = LOGINS[who];
  return open(password(user, secret), { database });
}

// Runs a request by `start` and gives its result sets, output parameters and status.
function result(text, start, prepare = () => {}) {
  return new Promise((done, failed) => {
    const sets = [];
    const outputs = {};
    let status;
    const request = new Request(text, (error) => (error ? failed(error) : done({ sets, outputs, status })));
    prepare(request);
    request.on("columnMetadata", () => sets.push([]));
    request.on("row", (columns) => sets[sets.length - 1].push(columns.map((column) => column.value)));
    request.on("returnValue", (name, value) => (outputs[name] = value));
    request.on("doneProc", (count, more, returned) => (status = returned));
    start(request);
  });
}

const batch = async (connection, text) => (await result(text, (request) => connection.execSqlBatch(request))).sets;

async function one(connection, text, prepare) {
  return (await result(text, (request) => connection.execSql(request), prepare)).sets[0][0];
}

function numbers(error) {
  return [error, ...(error.errors ?? [])].map((one) => one.number);
}

async function refused(work, number) {
  try {
    await work();
  } catch (error) {
    assert.ok(numbers(error).includes(number), `${error} (${numbers(error)}), not ${number}`);
    return;
  }
  assert.fail(`${number} did not come`);
}

// The numbers that the server sent; an error of a login keeps only the last text.
async function refusedLogin(authentication, options, ...wanted) {
  const seen = [];
  try {
    (await open(authentication, { ...options, seen })).close();
  } catch (error) {
    assert.equal(error.code, "ELOGIN");
    assert.deepEqual(seen, wanted);
    return;
  }
  assert.fail(`${wanted} did not come`);
}

let passed = 0;
let failed = 0;

async function check(title, work) {
  try {
    await work();
    passed += 1;
  } catch (error) {
    failed += 1;
    console.log(`  not ok: ${title}: ${String(error.message ?? error).slice(0, 400)}`);
  }
}

async function logins() {
  for (const encrypt of [true, "strict"]) {
    const with_ = (options) => ({ encrypt, ...options });
    const is = (title, authentication, options, ...numbers) =>
      check(`encrypt ${encrypt}: ${title} is ${numbers}`, () => refusedLogin(authentication, with_(options), ...numbers));
    await is("a wrong password", password("sqladmin", "wrong"), {}, 18456);
    await is("an unknown login", password("nobody", "x"), {}, 18456);
    await is("no such database", password("sqladmin", "Made-up-admin-1"), { database: "none" }, 4060, 18456);
    await is("no user in it", password("homeless", "Made-up-homeless-1"), {}, 4060, 18456);
    await is("the firewall", password("sqladmin", "Made-up-admin-2"), { server: "fenced-sql" }, 40615);
    await is("Entra-only", password("sqladmin", "Made-up-admin-3"), { server: "entra-sql" }, 18456);
    await is("no such server", password("a", "b"), { server: "none" }, 40532);
    await is("a stranger's token", token("STRANGER_TOKEN"), {}, 18456);
    await check(`encrypt ${encrypt}: a right password`, async () => {
      const connection = await open(password("orders_app", "Made-up-app-1"), with_());
      assert.deepEqual(await one(connection, "SELECT USER_NAME()"), ["orders_app"]);
      connection.close();
    });
    await check(`encrypt ${encrypt}: a token of an application`, async () => {
      const connection = await open(token("API_TOKEN"), with_());
      const row = await one(connection, "SELECT USER_NAME(), (SELECT COUNT(*) FROM dbo.Orders)");
      assert.deepEqual(row, ["orders-api", 3]);
      connection.close();
    });
    await check(`encrypt ${encrypt}: a token of the administrators`, async () => {
      const connection = await open(token("ADMIN_TOKEN"), with_({ server: "entra-sql" }));
      assert.deepEqual(await one(connection, "SELECT USER_NAME()"), ["dbo"]);
      connection.close();
    });
  }
}

async function types() {
  const admin = await connect("admin");
  const utc = (ms) => new Date(Date.UTC(2024, 1, 29, 23, 59, 58, ms));
  const values = [
    ["CAST(1 AS bit)", true],
    ["CAST(255 AS tinyint)", 255],
    ["CAST(-2147483648 AS int)", -2147483648],
    ["CAST(9223372036854775807 AS bigint)", "9223372036854775807"],
    ["CAST(-12.345 AS decimal(9,3))", -12.345],
    ["CAST(92233720368.5807 AS money)", 92233720368.5807],
    ["CAST(-1.5 AS smallmoney)", -1.5],
    ["CAST(1.5e300 AS float)", 1.5e300],
    ["CAST(0.5 AS real)", 0.5],
    ["CAST('2024-02-29' AS date)", new Date(Date.UTC(2024, 1, 29))],
    ["CAST('23:59:58.123' AS time)", new Date(Date.UTC(1970, 0, 1, 23, 59, 58, 123))],
    ["CAST('2024-02-29T23:59:58.120' AS datetime)", utc(120)],
    ["CAST('2024-02-29T23:59:00' AS smalldatetime)", new Date(Date.UTC(2024, 1, 29, 23, 59))],
    ["CAST('2024-02-29T23:59:58.123' AS datetime2)", utc(123)],
    ["CAST('2024-02-29T18:29:58.5 -05:30' AS datetimeoffset)", utc(500)],
    ["CAST('00112233-4455-6677-8899-aabbccddeeff' AS uniqueidentifier)", "00112233-4455-6677-8899-AABBCCDDEEFF"],
    ["CAST(N'ž 日本 😀' AS nvarchar(10))", "ž 日本 😀"],
    ["CAST('abc' AS varchar(10))", "abc"],
    ["CAST(0x00FF10 AS varbinary(8))", Buffer.from([0, 255, 16])],
    ["REPLICATE(CAST(N'x' AS nvarchar(max)), 20000)", "x".repeat(20000)],
    ["REPLICATE(CAST('y' AS varchar(max)), 9000)", "y".repeat(9000)],
    ["CAST(N'' AS nvarchar(max))", ""],
  ];
  for (const [expression, wanted] of values) {
    await check(expression, async () => {
      const [[[found]]] = await batch(admin, `SELECT ${expression}`);
      // Dates of tedious carry a nanosecond field.
      const plain = found instanceof Date ? new Date(found.getTime()) : found;
      assert.deepEqual(plain, wanted);
    });
  }
  const parameters = [
    [TYPES.Int, 7], [TYPES.TinyInt, 7], [TYPES.SmallInt, -7], [TYPES.BigInt, "9007199254740993"],
    [TYPES.Bit, true], [TYPES.Float, 1.25], [TYPES.Real, 0.5], [TYPES.Decimal, 12.5], [TYPES.Money, 3.5],
    [TYPES.NVarChar, "it's 日本"], [TYPES.VarChar, "plain"], [TYPES.NVarChar, "z".repeat(70000)],
    [TYPES.VarBinary, Buffer.from([0, 1])], [TYPES.UniqueIdentifier, "00112233-4455-6677-8899-AABBCCDDEEFF"],
    [TYPES.Date, new Date(Date.UTC(2024, 1, 29))], [TYPES.DateTime, utc(120)], [TYPES.DateTime2, utc(123)],
    [TYPES.DateTimeOffset, utc(123)], [TYPES.Time, new Date(Date.UTC(1970, 0, 1, 1, 2, 3))],
    [TYPES.NVarChar, null], [TYPES.Int, null], [TYPES.VarBinary, null], [TYPES.Char, "abc"], [TYPES.Numeric, -1],
  ];
  for (const [type, wanted] of parameters) {
    await check(`a parameter ${type.name} ${String(wanted).slice(0, 20)}`, async () => {
      const options = type === TYPES.Decimal ? { precision: 9, scale: 2 } : {};
      const [found] = await one(admin, "SELECT @p", (request) => request.addParameter("p", type, wanted, options));
      const plain = found instanceof Date ? new Date(found.getTime()) : found;
      assert.deepEqual(plain, wanted);
    });
  }
  admin.close();
}

async function behaviour() {
  await check("a prepared statement runs twice", async () => {
    const admin = await connect("admin");
    const request = new Request("SELECT Customer FROM dbo.Orders WHERE Id = @id", () => {});
    request.addParameter("id", TYPES.Int);
    await new Promise((done, fail) => {
      request.on("prepared", done).on("error", fail);
      admin.prepare(request);
    });
    for (const [id, name] of [[1, "Fabrikam"], [2, "Tailspin"]]) {
      const row = await new Promise((done, fail) => {
        let found;
        request.userCallback = (error) => (error ? fail(error) : done(found));
        request.removeAllListeners("row").on("row", (columns) => (found = columns[0].value));
        admin.execute(request, { id });
      });
      assert.equal(row, name);
    }
    await new Promise((done) => {
      request.userCallback = done;
      admin.unprepare(request);
    });
    assert.deepEqual(await one(admin, "SELECT 1"), [1]);
    admin.close();
  });
  await check("a procedure gives rows, output and status", async () => {
    const admin = await connect("admin");
    await batch(admin, "CREATE PROCEDURE dbo.adds @a int, @b int = 4, @sum int OUTPUT AS BEGIN SET @sum = @a + @b; SELECT @a AS a; RETURN 9 END");
    const { sets, outputs, status } = await result("dbo.adds", (request) => admin.callProcedure(request), (request) => {
      request.addParameter("a", TYPES.Int, 3);
      request.addOutputParameter("sum", TYPES.Int);
    });
    assert.deepEqual([sets, outputs, status], [[[[3]]], { sum: 7 }, 9]);
    admin.close();
  });
  await check("rows over thousands of packets", async () => {
    const admin = await open(password("sqladmin", "Made-up-admin-1"), { packetSize: 512 });
    const text = "WITH n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 3000) SELECT i, REPLICATE(N'ab', 500) AS wide FROM n OPTION (MAXRECURSION 0)";
    const [rows] = await batch(admin, text);
    assert.deepEqual([rows.length, rows[2999]], [3000, [3000, "ab".repeat(500)]]);
    admin.close();
  });
  await check("the driver's transactions and savepoints", async () => {
    const admin = await connect("admin");
    const step = (verb, ...rest) => new Promise((done, fail) => admin[verb]((error) => (error ? fail(error) : done()), ...rest));
    const count = () => one(admin, "SELECT COUNT(*) FROM sales.Leads WHERE Name = N'node'");
    await step("beginTransaction", "", ISOLATION_LEVEL.SERIALIZABLE);
    await one(admin, "INSERT INTO sales.Leads VALUES (50, N'node'); SELECT 1");
    await step("saveTransaction", "half");
    await one(admin, "INSERT INTO sales.Leads VALUES (51, N'node'); SELECT 1");
    await step("rollbackTransaction", "half");
    assert.deepEqual(await count(), [1]);
    await step("rollbackTransaction");
    assert.deepEqual(await count(), [0]);
    await step("beginTransaction", "whole");
    await one(admin, "INSERT INTO sales.Leads VALUES (52, N'node'); SELECT 1");
    await step("rollbackTransaction", "whole");
    assert.deepEqual(await one(admin, "SELECT @@TRANCOUNT, COUNT(*) FROM sales.Leads WHERE Name = N'node'"), [0, 0]);
    admin.close();
  });
  await check("a cancel ends a long batch", async () => {
    const admin = await connect("admin");
    let request;
    const ended = new Promise((done) => (request = new Request("WAITFOR DELAY '00:00:50'; SELECT 1", done)));
    admin.execSqlBatch(request);
    setImmediate(() => admin.cancel());
    const error = await ended;
    assert.equal(error?.code, "ECANCEL");
    assert.deepEqual(await one(admin, "SELECT 5"), [5]);
    admin.close();
  });
  await check("a timeout ends a long batch", async () => {
    const admin = await open(password("sqladmin", "Made-up-admin-1"), { requestTimeout: 200 });
    await assert.rejects(batch(admin, "WAITFOR DELAY '00:00:50'; SELECT 1"), (error) => error.code === "ETIMEOUT");
    assert.deepEqual(await one(admin, "SELECT 5"), [5]);
    admin.close();
  });
  await check("a reset connection is as new", async () => {
    const admin = await connect("admin");
    await batch(admin, "EXEC sp_set_session_context N'k', N'v'; CREATE TABLE #mine (Id int); BEGIN TRAN; DELETE FROM dbo.Orders");
    await new Promise((done, fail) => admin.reset((error) => (error ? fail(error) : done())));
    assert.deepEqual(await one(admin, "SELECT SESSION_CONTEXT(N'k'), @@TRANCOUNT, (SELECT COUNT(*) FROM dbo.Orders)"), [null, 0, 3]);
    await refused(() => batch(admin, "SELECT * FROM #mine"), 208);
    admin.close();
  });
  await check("a table as parameter is refused and the connection goes on", async () => {
    const admin = await connect("admin");
    const table = { columns: [{ name: "Id", type: TYPES.Int }], rows: [[1]] };
    await refused(() => one(admin, "SELECT 1", (request) => request.addParameter("t", TYPES.TVP, table)), 40514);
    assert.deepEqual(await one(admin, "SELECT 5"), [5]);
    admin.close();
  });
  await check("a bulk load is refused and the connection goes on", async () => {
    const admin = await connect("admin");
    const loaded = new Promise((done, fail) => {
      const load = admin.newBulkLoad("sales.Leads", (error) => (error ? fail(error) : done()));
      load.addColumn("Id", TYPES.Int, { nullable: false });
      admin.execBulkLoad(load, [[60]]);
    });
    await refused(() => loaded, 40514);
    assert.deepEqual(await one(admin, "SELECT 5"), [5]);
    admin.close();
  });
}

// cases.txt, as cases.py reads it.
function readCases() {
  const cases = [];
  let step;
  const lines = fs.readFileSync(path.join(__dirname, "cases.txt"), "utf8").split("\n");
  lines.forEach((line, at) => {
    if (line.startsWith("== ")) {
      cases.push({ title: line.slice(3), steps: [] });
      step = undefined;
    } else if (line.startsWith("as ") && cases.length) {
      step = { who: line.slice(3), start: at + 1, batches: [[]], sets: [] };
      cases.at(-1).steps.push(step);
    } else if (!step) {
      return;
    } else if (line.startsWith("-> ")) {
      if (!step.sets.length) step.sets.push([]);
      step.sets.at(-1).push(line.slice(3).split(" | ").map((cell) => cell.trim()));
    } else if (line === "=>") {
      if (!step.sets.length) step.sets.push([]);
      step.sets.push([]);
    } else if (line.startsWith("!! ")) {
      step.error = line.slice(3).split(" ").map(Number);
    } else if (line === "GO") {
      step.batches.push([]);
    } else {
      step.batches.at(-1).push(line);
    }
  });
  return cases;
}

function text(cell) {
  if (cell === null) return "NULL";
  if (typeof cell === "boolean") return cell ? "1" : "0";
  if (Buffer.isBuffer(cell)) return "0x" + cell.toString("hex").toUpperCase();
  return String(cell);
}

async function runStep(step) {
  const connection = await connect(step.who);
  try {
    for (const earlier of step.batches.slice(0, -1)) await batch(connection, earlier.join("\n"));
    let sets;
    try {
      sets = await batch(connection, step.batches.at(-1).join("\n").trimEnd());
    } catch (error) {
      if (!step.error || !numbers(error).includes(step.error[0])) throw error;
      if (step.error.length > 1) assert.equal(error.lineNumber, step.error[1], "the line of the error");
      return;
    }
    assert.equal(step.error, undefined, `error ${step.error} did not come`);
    const found = sets.map((rows) => rows.map((row) => row.map(text)));
    const wanted = step.sets.map((rows, s) => rows.map((row, r) => row.map((cell, c) => (cell === "?" ? found[s]?.[r]?.[c] : cell))));
    // JavaScript has no decimals: 12.50 is 12.5.
    const plain = (value) => JSON.stringify(value).replaceAll(/"(\d+\.\d*?)0+"/g, '"$1"');
    assert.equal(plain(found), plain(wanted));
  } finally {
    connection.close();
  }
}

async function main() {
  await logins();
  await types();
  await behaviour();
  for (const { title, steps } of readCases()) {
    for (const step of steps) await check(`${title} (cases.txt:${step.start})`, () => runStep(step));
  }
  const { version } = require("tedious/package.json");
  console.log(`  tedious ${version}: ${passed} ok, ${failed} not ok`);
  process.exit(failed ? 1 : 0);
}

main();
