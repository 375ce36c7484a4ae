"""python-tds: TDS 7.4 in pure Python, TLS by pyOpenSSL, tokens in the login."""

import datetime
import decimal
import importlib.metadata
import os
import socket
import uuid

import pytds
from cases import Report, SqlError, refused

PORT = int(os.environ["SQL_PORT"])
LOGINS = {
    "admin": ("orders", "sqladmin", "Made-up-admin-1"),
    "master": ("master", "sqladmin", "Made-up-admin-1"),
    "app": ("orders", "orders_app", "Made-up-app-1"),
}


def translated(error):
    number = getattr(error, "msg_no", None) or getattr(error, "number", None)
    if not number:
        raise error
    return SqlError(number, error.state, error.severity, error.line, str(error))


class Connection:
    def __init__(self, database, server="orders-sql", **login):
        # The name need not resolve: the socket is made here, the name is for the certificate.
        sock = socket.create_connection(("127.0.0.1", PORT))
        host = f"{server}.database.localhost"
        options = dict(autocommit=True, cafile=os.environ["CA"], login_timeout=1, disable_connect_retry=True)
        try:
            self.inner = pytds.connect(dsn=host, database=database, sock=sock, **{**options, **login})
        except pytds.Error as error:
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
        except pytds.Error as error:
            raise translated(error) from error

    def one(self, text, parameters=None):
        return self.batch(text, parameters)[0][0]

    def close(self):
        self.inner.close()


def connect(who):
    database, user, password = LOGINS[who]
    return Connection(database, user=user, password=password)


def retried(work, number):
    """The client tries such logins again, on the same socket here, until its time is up."""
    try:
        work()
    except TimeoutError as error:
        assert error.__cause__.msg_no == number, error.__cause__
    else:
        raise AssertionError(f"{number} did not come")


def logins(report):
    def by(token, database="orders", server="orders-sql"):
        return Connection(database, server, access_token_callable=lambda: os.environ[token])

    def password(user, secret, database="orders", server="orders-sql"):
        return Connection(database, server, user=user, password=secret)

    report.check("a wrong password is 18456", lambda: refused(lambda: password("sqladmin", "wrong"), 18456))
    report.check("an unknown login is 18456", lambda: refused(lambda: password("nobody", "x"), 18456))
    # The client joins the two messages and keeps the number of the last.
    report.check("no such database is 4060", lambda: refused(lambda: password("sqladmin", "Made-up-admin-1", "none"), 4060, 18456))
    report.check("no user in it is 4060", lambda: refused(lambda: password("homeless", "Made-up-homeless-1"), 4060, 18456))
    report.check("the firewall is 40615", lambda: retried(lambda: password("sqladmin", "Made-up-admin-2", server="fenced-sql"), 40615))
    report.check("Entra-only is 18456", lambda: refused(lambda: password("sqladmin", "Made-up-admin-3", server="entra-sql"), 18456))
    report.check("no such server is 40532", lambda: retried(lambda: password("a", "b", server="none"), 40532))

    def token_of_an_application():
        row = by("API_TOKEN").one("SELECT USER_NAME(), SUSER_SNAME(), (SELECT COUNT(*) FROM dbo.Orders)")
        assert row == ["orders-api", "00112233-4455-6677-8899-aabbccddeeff@0c0ffee0-0000-4000-8000-0000000000ff", 3], row

    report.check("a token of an application", token_of_an_application)
    report.check("a token of the administrators", lambda: by("ADMIN_TOKEN", server="entra-sql").one("SELECT 1"))
    report.check("a stranger's token is 18456", lambda: refused(lambda: by("STRANGER_TOKEN"), 18456))

    def provider():
        admin = by("ADMIN_TOKEN")
        refused(lambda: admin.batch("CREATE USER [stranger] FROM EXTERNAL PROVIDER"), 33134, 33130)

    report.check("FROM EXTERNAL PROVIDER needs the directory", provider)

    def mars():
        # The server offers none: the client goes on without, and one cursor ends the other.
        connection = Connection("orders", user="sqladmin", password="Made-up-admin-1", use_mars=True)
        assert not connection.inner.mars_enabled
        assert connection.one("SELECT 1") == [1]

    report.check("MARS is refused and the connection works", mars)


def types(report):
    admin = connect("admin")

    def value(expression, wanted):
        def work():
            found = admin.one(f"SELECT {expression}")[0]
            assert found == wanted and type(found) is type(wanted), f"{found!r:.80}, not {wanted!r:.80}"

        report.check(expression[:60], work)

    day = datetime.datetime(2024, 2, 29, 23, 59, 58)
    value("CAST(1 AS bit)", True)
    value("CAST(255 AS tinyint)", 255)
    value("CAST(-32768 AS smallint)", -32768)
    value("CAST(-2147483648 AS int)", -2147483648)
    value("CAST(9223372036854775807 AS bigint)", 9223372036854775807)
    value("CAST(-12.345 AS decimal(9,3))", decimal.Decimal("-12.345"))
    value("CAST(12345678901.2345 AS decimal(38,8))", decimal.Decimal("12345678901.2345"))
    value("CAST(92233720368.5807 AS money)", decimal.Decimal("92233720368.5807"))
    value("CAST(-1.5 AS smallmoney)", decimal.Decimal("-1.5000"))
    value("CAST(1.5e300 AS float)", 1.5e300)
    value("CAST(0.5 AS real)", 0.5)
    value("CAST('2024-02-29' AS date)", day.date())
    value("CAST('23:59:58.1234567' AS time)", datetime.time(23, 59, 58, 123456))
    value("CAST('23:59:58.12' AS time(2))", datetime.time(23, 59, 58, 120000))
    value("CAST('2024-02-29T23:59:58.120' AS datetime)", day.replace(microsecond=120000))
    value("CAST('2024-02-29T23:59:00' AS smalldatetime)", day.replace(second=0))
    value("CAST('2024-02-29T23:59:58.1234567' AS datetime2)", day.replace(microsecond=123456))
    value("CAST('2024-02-29T23:59:58.126' AS datetime2(2))", day.replace(microsecond=130000))
    zone = datetime.timezone(datetime.timedelta(hours=-5, minutes=-30))
    value("CAST('2024-02-29T23:59:58.5 -05:30' AS datetimeoffset)", day.replace(microsecond=500000, tzinfo=zone))
    value("CAST('00112233-4455-6677-8899-aabbccddeeff' AS uniqueidentifier)", uuid.UUID("00112233-4455-6677-8899-aabbccddeeff"))
    value("CAST(N'ž' AS nvarchar(10))", "ž")
    value("CAST('abc' AS varchar(10))", "abc")
    value("CAST('abc' AS char(5))", "abc  ")
    value("CAST(N'abc' AS nchar(5))", "abc  ")
    value("CAST(0x00FF10 AS varbinary(8))", b"\x00\xff\x10")
    value("CAST(0x01 AS binary(3))", b"\x01\x00\x00")
    value("REPLICATE(CAST(N'x' AS nvarchar(max)), 20000)", "x" * 20000)
    value("REPLICATE(CAST('y' AS varchar(max)), 9000)", "y" * 9000)
    value("CAST(N'' AS nvarchar(max))", "")
    value("CAST(0x AS varbinary(max))", b"")

    def parameter(wanted, cast="@P1"):
        def work():
            found = admin.one("SELECT %s", (wanted,))[0]
            assert found == wanted, f"{found!r:.80}, not {wanted!r:.80}"

        report.check(f"a parameter {wanted!r:.60}", work)

    for wanted in (
        1, -5, 2**40, 1.25, True, None, "it's", "日本 😀", pytds.Binary(b"\x00\x01"), "z" * 70000, pytds.Binary(b"q" * 70000),
        decimal.Decimal("123.4500"), day, day.date(), datetime.time(1, 2, 3), day.replace(tzinfo=zone),
        uuid.UUID("00112233-4455-6677-8899-aabbccddeeff"),
    ):
        parameter(wanted)


def behaviour(report):
    def big_rows():
        admin = connect("admin")
        rows = admin.batch(
            "WITH n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 3000) "
            "SELECT i, REPLICATE(N'ab', 500) AS wide FROM n OPTION (MAXRECURSION 0)"
        )[0]
        assert len(rows) == 3000 and rows[2999] == [3000, "ab" * 500], len(rows)

    report.check("rows over thousands of packets", big_rows)

    def procedure():
        admin = connect("admin")
        admin.batch("CREATE PROCEDURE dbo.adds @a int, @b int = 4, @sum int OUTPUT AS BEGIN SET @sum = @a + @b; SELECT @a AS a; RETURN 9 END")
        cursor = admin.inner.cursor()
        cursor.callproc("dbo.adds", (3, 4, pytds.output(param_type=int)))
        assert cursor.fetchall() == [(3,)]
        assert cursor.get_proc_outputs() == [7] and cursor.get_proc_return_status() == 9

    report.check("a procedure gives rows, output and status", procedure)

    def transaction():
        admin = Connection("orders", user="sqladmin", password="Made-up-admin-1", autocommit=False)
        admin.batch("DELETE FROM dbo.Orders")
        admin.inner.rollback()
        assert admin.one("SELECT COUNT(*) FROM dbo.Orders") == [3]
        admin.batch("CREATE ROLE by_driver")
        admin.inner.commit()
        assert admin.one("SELECT COUNT(*) FROM sys.database_principals WHERE name = N'by_driver'") == [1]

    report.check("the driver's own transactions", transaction)

    def timeout():
        admin = Connection("orders", user="sqladmin", password="Made-up-admin-1", timeout=0.2)
        try:
            admin.inner.cursor().execute("WAITFOR DELAY '00:00:30'; SELECT 1")
        except pytds.tds_base.TimeoutError:
            pass
        else:
            raise AssertionError("no timeout")
        admin.close()

    report.check("a timeout ends a long batch", timeout)

    def cancel():
        admin = connect("admin")
        cursor = admin.inner.cursor()
        cursor.execute("SELECT Id FROM dbo.Orders; SELECT 2")
        cursor.cancel()
        assert admin.one("SELECT 5") == [5]

    report.check("after a cancel the next answer is the next one's", cancel)

    def pooled():
        login = dict(user="sqladmin", password="Made-up-admin-1", pooling=True)
        first = Connection("orders", **login)
        first.batch("EXEC sp_set_session_context N'k', N'v'; CREATE TABLE #mine (Id int)")
        first.close()
        second = Connection("orders", **login)
        assert second.one("SELECT SESSION_CONTEXT(N'k'), @@TRANCOUNT") == [None, 0]
        refused(lambda: second.batch("SELECT * FROM #mine"), 208)

    report.check("a pooled connection comes back clean", pooled)


def main():
    report = Report()
    logins(report)
    types(report)
    behaviour(report)
    report.shared(connect)
    report.end(f"python-tds {importlib.metadata.version('python-tds')}")


main()
