"""pymssql: FreeTDS' db-lib with OpenSSL, TDS 7.4 and TDS 8 ("strict"); passwords only."""

import decimal
import json
import os
import subprocess
import sys

import freetdsconf

# Read by FreeTDS when it is loaded.
os.environ["FREETDSCONF"] = os.environ["FREETDS"] = str(freetdsconf.FILE)

import dbapi  # noqa: E402
import pymssql  # noqa: E402
from cases import LOGINS, Report, SqlError, refused  # noqa: E402


def translated(error):
    first = error.args[0] if error.args else None
    if isinstance(first, tuple):
        number, message = first
    elif len(error.args) > 1:
        number, message = error.args[:2]
    else:
        raise error
    return SqlError(number, message=message.decode(errors="replace") if isinstance(message, bytes) else str(message))


class Connection(dbapi.Connection):
    def __init__(self, user, password, database="orders", server="orders-sql", **options):
        options = {"tds_version": "7.4", "port": os.environ["SQL_PORT"], "autocommit": True, "login_timeout": 20, "use_datetime2": True, **options}
        super().__init__(pymssql, translated, lambda: pymssql.connect(server, user, password, database, **options))


def connect(who, **options):
    database, user, password = LOGINS[who]
    return Connection(user, password, database, **options)


def attempt(login):
    """One login in a process of its own: db-lib's last message outlives its connection."""
    done = subprocess.run([sys.executable, __file__, json.dumps(login)], capture_output=True, text=True, timeout=60)
    return done.stdout.strip()


def logins(report, what):
    def is_refused(title, number, *login, **options):
        def work():
            said = attempt([freetdsconf.FILE.read_text(), login, options])
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


def parameters(report):
    def sent():
        wanted = [1, "it's", None, 1.25, decimal.Decimal("3.50"), b"\x00\x01", dbapi.DAY, True]
        found = connect("admin").one("SELECT %s, %s, %s, %s, %s, %s, CAST(%s AS datetime2), %s", tuple(wanted))
        assert found == wanted[:-1] + [1], found

    report.check("parameters", sent)


def behaviour(report):
    dbapi.behaviour(report, connect)

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

    def timeout():
        admin = connect("admin", timeout=1)
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
    freetdsconf.FILE.write_text(configuration)
    try:
        Connection(*login, **options)
        print("let in")
    except SqlError as error:
        print(error.number)


def main():
    if len(sys.argv) > 1:
        return only_login(sys.argv[1])
    report = Report()
    freetdsconf.write()
    logins(report, "TDS 7.4")
    behaviour(report)
    report.shared(connect)
    # FreeTDS holds its handshake back twice (TCP_CORK), some 0.4 s for each of these connections.
    freetdsconf.write("8.0", "strict")
    logins(report, "strict")
    dbapi.types(report, connect("admin"))
    parameters(report)
    report.end(f"pymssql {pymssql.__version__} with {pymssql.get_dbversion()}")


if __name__ == "__main__":
    main()
