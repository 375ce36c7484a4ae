"""python-tds: TDS 7.4 in pure Python, TLS by pyOpenSSL, tokens in the login."""

import datetime
import decimal
import importlib.metadata
import os
import socket
import uuid

import dbapi
import pytds
from cases import LOGINS, Report, SqlError, refused

PORT = int(os.environ["SQL_PORT"])


def translated(error):
    number = getattr(error, "msg_no", None) or getattr(error, "number", None)
    if not number:
        raise error
    return SqlError(number, error.state, error.severity, error.line, str(error))


class Connection(dbapi.Connection):
    def __init__(self, database, server="orders-sql", **login):
        # The name need not resolve: the socket is made here, the name is for the certificate.
        sock = socket.create_connection(("127.0.0.1", PORT))
        host = f"{server}.database.localhost"
        options = {"autocommit": True, "cafile": os.environ["CA"], "login_timeout": 1, "disable_connect_retry": True, **login}
        super().__init__(pytds, translated, lambda: pytds.connect(dsn=host, database=database, sock=sock, **options))


def connect(who, **options):
    database, user, password = LOGINS[who]
    return Connection(database, user=user, password=password, **options)


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
        connection = connect("admin", use_mars=True)
        assert not connection.inner.mars_enabled
        assert connection.one("SELECT 1") == [1]

    report.check("MARS is refused and the connection works", mars)


def parameters(report):
    admin = connect("admin")

    def parameter(wanted):
        def work():
            found = admin.one("SELECT %s", (wanted,))[0]
            assert found == wanted, f"{found!r:.80}, not {wanted!r:.80}"

        report.check(f"a parameter {wanted!r:.60}", work)

    zone = datetime.timezone(datetime.timedelta(hours=-5, minutes=-30))
    for wanted in (
        1, -5, 2**40, 1.25, True, None, "it's", "日本 😀", pytds.Binary(b"\x00\x01"), "z" * 70000, pytds.Binary(b"q" * 70000),
        decimal.Decimal("123.4500"), dbapi.DAY, dbapi.DAY.date(), datetime.time(1, 2, 3), dbapi.DAY.replace(tzinfo=zone),
        uuid.UUID("00112233-4455-6677-8899-aabbccddeeff"),
    ):
        parameter(wanted)


def behaviour(report):
    dbapi.behaviour(report, connect)

    def procedure():
        admin = connect("admin")
        admin.batch("CREATE PROCEDURE dbo.adds @a int, @b int = 4, @sum int OUTPUT AS BEGIN SET @sum = @a + @b; SELECT @a AS a; RETURN 9 END")
        cursor = admin.inner.cursor()
        cursor.callproc("dbo.adds", (3, 4, pytds.output(param_type=int)))
        assert cursor.fetchall() == [(3,)]
        assert cursor.get_proc_outputs() == [7] and cursor.get_proc_return_status() == 9

    report.check("a procedure gives rows, output and status", procedure)

    def timeout():
        admin = connect("admin", timeout=0.2)
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
        first = connect("admin", pooling=True)
        first.batch("EXEC sp_set_session_context N'k', N'v'; CREATE TABLE #mine (Id int)")
        first.close()
        second = connect("admin", pooling=True)
        assert second.one("SELECT SESSION_CONTEXT(N'k'), @@TRANCOUNT") == [None, 0]
        refused(lambda: second.batch("SELECT * FROM #mine"), 208)

    report.check("a pooled connection comes back clean", pooled)


def main():
    report = Report()
    logins(report)
    dbapi.types(report, connect("admin"))
    parameters(report)
    behaviour(report)
    report.shared(connect)
    report.end(f"python-tds {importlib.metadata.version('python-tds')}")


main()
