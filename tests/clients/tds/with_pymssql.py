"""pymssql: FreeTDS' db-lib with OpenSSL, TDS 7.4 and TDS 8 ("strict"); passwords only."""

import datetime
import decimal
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import uuid

FOLDER = tempfile.TemporaryDirectory()
CONFIGURATION = pathlib.Path(FOLDER.name) / "freetds.conf"
# Read by FreeTDS when it is loaded.
os.environ["FREETDSCONF"] = str(CONFIGURATION)
os.environ["FREETDS"] = str(CONFIGURATION)

import pymssql  # noqa: E402
from cases import Report, SqlError, refused  # noqa: E402

SECTION = """
[{name}]
    host = localhost
    port = {port}
    tds version = {version}
    encryption = {encryption}
    ca file = {ca}
    check certificate hostname = yes
    client charset = UTF-8
    text size = 10000000
"""
SERVERS = ("orders-sql", "fenced-sql", "entra-sql", "none")
LOGINS = {
    "admin": ("orders", "sqladmin", "Made-up-admin-1"),
    "master": ("master", "sqladmin", "Made-up-admin-1"),
    "app": ("orders", "orders_app", "Made-up-app-1"),
}


def configure(version, encryption):
    settings = dict(port=os.environ["SQL_PORT"], ca=os.environ["CA"], version=version, encryption=encryption)
    CONFIGURATION.write_text("".join(SECTION.format(name=name, **settings) for name in SERVERS))


def translated(error):
    first = error.args[0] if error.args else None
    if isinstance(first, tuple):
        number, message = first
    elif len(error.args) > 1:
        number, message = error.args[:2]
    else:
        raise error
    return SqlError(number, message=message.decode(errors="replace") if isinstance(message, bytes) else str(message))


class Connection:
    def __init__(self, user, password, database="orders", server="orders-sql", **options):
        try:
            options = {"tds_version": "7.4", "port": os.environ["SQL_PORT"], "autocommit": True, "login_timeout": 20, "use_datetime2": True, **options}
            self.inner = pymssql.connect(server, user, password, database, **options)
        except pymssql.Error as error:
            raise translated(error) from error

    def batch(self, text, parameters=None):
        cursor = self.inner.cursor()
        try:
            cursor.execute(text, parameters)
            sets = []
            while True:
                if cursor.description is not None:
                    sets.append([list(row) for row in cursor.fetchall()])
                if not cursor.nextset():
                    return sets
        except pymssql.Error as error:
            raise translated(error) from error

    def one(self, text, parameters=None):
        return self.batch(text, parameters)[0][0]

    def close(self):
        self.inner.close()


def connect(who):
    database, user, password = LOGINS[who]
    return Connection(user, password, database)


def attempt(login):
    """One login in a process of its own: db-lib's last message outlives its connection."""
    done = subprocess.run([sys.executable, __file__, json.dumps(login)], capture_output=True, text=True, timeout=60)
    return done.stdout.strip()


def logins(report, what):
    def is_refused(title, number, *login, **options):
        def work():
            said = attempt([CONFIGURATION.read_text(), login, options])
            assert said == str(number), said

        report.check(f"{what}: {title} is {number}", work)

    is_refused("a wrong password", 18456, "sqladmin", "wrong")
    is_refused("an unknown login", 18456, "nobody", "x")
    # db-lib keeps the last message, which is the 18456 that follows 4060.
    is_refused("no such database", 18456, "sqladmin", "Made-up-admin-1", "none")
    is_refused("no user in it", 18456, "homeless", "Made-up-homeless-1")
    is_refused("the firewall", 40615, "sqladmin", "Made-up-admin-2", server="fenced-sql")
    is_refused("Entra-only", 18456, "sqladmin", "Made-up-admin-3", server="entra-sql")
    is_refused("no such server", 40532, "a", "b", server="none")

    def good():
        assert connect("app").one("SELECT USER_NAME()") == ["orders_app"]
        assert Connection("sqladmin@orders-sql", "Made-up-admin-1").one("SELECT 1") == [1]

    report.check(f"{what}: a right password", good)


def types(report):
    admin = connect("admin")

    def value(expression, wanted):
        def work():
            found = admin.one(f"SELECT {expression}")[0]
            assert found == wanted and type(found) is type(wanted), f"{found!r:.80}, not {wanted!r:.80}"

        report.check(expression[:60], work)

    day = datetime.datetime(2024, 2, 29, 23, 59, 58)
    value("CAST(1 AS bit)", True)
    value("CAST(-2147483648 AS int)", -2147483648)
    value("CAST(9223372036854775807 AS bigint)", 9223372036854775807)
    value("CAST(-12.345 AS decimal(9,3))", decimal.Decimal("-12.345"))
    value("CAST(92233720368.5807 AS money)", decimal.Decimal("92233720368.5807"))
    value("CAST(-1.5 AS smallmoney)", decimal.Decimal("-1.5000"))
    value("CAST(1.5e300 AS float)", 1.5e300)
    value("CAST(0.5 AS real)", 0.5)
    value("CAST('2024-02-29' AS date)", day.date())
    value("CAST('23:59:58.123456' AS time)", datetime.time(23, 59, 58, 123456))
    value("CAST('2024-02-29T23:59:58.120' AS datetime)", day.replace(microsecond=120000))
    value("CAST('2024-02-29T23:59:00' AS smalldatetime)", day.replace(second=0))
    value("CAST('2024-02-29T23:59:58.123456' AS datetime2)", day.replace(microsecond=123456))
    zone = datetime.timezone(datetime.timedelta(hours=5, minutes=30))
    value("CAST('2024-02-29T23:59:58.5 +05:30' AS datetimeoffset)", day.replace(microsecond=500000, tzinfo=zone))
    value("CAST('00112233-4455-6677-8899-aabbccddeeff' AS uniqueidentifier)", uuid.UUID("00112233-4455-6677-8899-aabbccddeeff"))
    value("CAST(N'ž 日本' AS nvarchar(10))", "ž 日本")
    value("CAST('abc' AS varchar(10))", "abc")
    value("CAST(0x00FF10 AS varbinary(8))", b"\x00\xff\x10")
    value("REPLICATE(CAST(N'x' AS nvarchar(max)), 20000)", "x" * 20000)
    value("REPLICATE(CAST('y' AS varchar(max)), 9000)", "y" * 9000)

    def parameters():
        wanted = [1, "it's", None, 1.25, decimal.Decimal("3.50"), b"\x00\x01", day, True]
        found = admin.one("SELECT %s, %s, %s, %s, %s, %s, CAST(%s AS datetime2), %s", tuple(wanted))
        assert found == wanted[:-1] + [1], found

    report.check("parameters", parameters)


def behaviour(report):
    def big_rows():
        rows = connect("admin").batch(
            "WITH n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 3000) "
            "SELECT i, REPLICATE(N'ab', 500) AS wide FROM n OPTION (MAXRECURSION 0)"
        )[0]
        assert len(rows) == 3000 and rows[2999] == [3000, "ab" * 500], len(rows)

    report.check("rows over thousands of packets", big_rows)

    def procedure():
        admin = connect("admin")
        admin.batch("CREATE PROCEDURE dbo.sums @a int, @b int = 4, @sum int OUTPUT AS BEGIN SET @sum = @a + @b; RETURN 9 END")
        cursor = admin.inner.cursor()
        found = cursor.callproc("dbo.sums", (3, 4, pymssql.output(int)))
        assert found[2] == 7, found
        cursor.nextset()
        assert cursor.returnvalue == 9, cursor.returnvalue

    report.check("a procedure gives output and status", procedure)

    def rows_of_a_procedure():
        admin = connect("admin")
        admin.batch("CREATE PROCEDURE dbo.rows_of @id int AS SELECT Customer FROM dbo.Orders WHERE Id = @id")
        cursor = admin.inner.cursor()
        cursor.callproc("dbo.rows_of", (2,))
        assert list(cursor) == [("Tailspin",)]

    report.check("a procedure gives rows", rows_of_a_procedure)

    def transaction():
        admin = Connection("sqladmin", "Made-up-admin-1", autocommit=False)
        admin.batch("DELETE FROM dbo.Orders")
        admin.inner.rollback()
        assert admin.one("SELECT COUNT(*) FROM dbo.Orders") == [3]
        admin.batch("CREATE ROLE by_driver")
        admin.inner.commit()
        assert admin.one("SELECT COUNT(*) FROM sys.database_principals WHERE name = N'by_driver'") == [1]

    report.check("the driver's own transactions", transaction)

    def timeout():
        admin = Connection("sqladmin", "Made-up-admin-1", timeout=1)
        refused(lambda: admin.batch("WAITFOR DELAY '00:00:50'; SELECT 1"), 20003, 20047)

    report.check("a timeout ends a long batch", timeout)

    def cancel():
        admin = connect("admin")
        cursor = admin.inner.cursor()
        cursor.execute("SELECT Id FROM dbo.Orders; SELECT 2")
        cursor.fetchone()
        admin.inner._conn.cancel()
        assert admin.one("SELECT 5") == [5]

    report.check("after a cancel the next answer is the next one's", cancel)


def only_login(text):
    configuration, login, options = json.loads(text)
    CONFIGURATION.write_text(configuration)
    try:
        Connection(*login, **options)
        print("let in")
    except SqlError as error:
        print(error.number)


def main():
    if len(sys.argv) > 1:
        return only_login(sys.argv[1])
    report = Report()
    configure("7.4", "require")
    logins(report, "TDS 7.4")
    behaviour(report)
    report.shared(connect)
    # FreeTDS holds its handshake back twice (TCP_CORK), some 0.4 s for each of these connections.
    configure("8.0", "strict")
    logins(report, "strict")
    types(report)
    report.end(f"pymssql {pymssql.__version__} with {pymssql.get_dbversion()}")


if __name__ == "__main__":
    main()
