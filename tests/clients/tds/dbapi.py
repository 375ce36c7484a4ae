"""What pymssql and python-tds have in common, for both follow DB-API."""

import datetime
import decimal
import uuid

DAY = datetime.datetime(2024, 2, 29, 23, 59, 58)
# What both make of a value, and as which type.
VALUES = [
    ("CAST(1 AS bit)", True),
    ("CAST(255 AS tinyint)", 255),
    ("CAST(-32768 AS smallint)", -32768),
    ("CAST(-2147483648 AS int)", -2147483648),
    ("CAST(9223372036854775807 AS bigint)", 9223372036854775807),
    ("CAST(-12.345 AS decimal(9,3))", decimal.Decimal("-12.345")),
    ("CAST(12345678901.2345 AS decimal(38,8))", decimal.Decimal("12345678901.2345")),
    ("CAST(92233720368.5807 AS money)", decimal.Decimal("92233720368.5807")),
    ("CAST(-1.5 AS smallmoney)", decimal.Decimal("-1.5000")),
    ("CAST(1.5e300 AS float)", 1.5e300),
    ("CAST(0.5 AS real)", 0.5),
    ("CAST('2024-02-29' AS date)", DAY.date()),
    ("CAST('23:59:58.1234567' AS time)", datetime.time(23, 59, 58, 123456)),
    ("CAST('23:59:58.12' AS time(2))", datetime.time(23, 59, 58, 120000)),
    ("CAST('2024-02-29T23:59:58.120' AS datetime)", DAY.replace(microsecond=120000)),
    ("CAST('2024-02-29T23:59:00' AS smalldatetime)", DAY.replace(second=0)),
    ("CAST('2024-02-29T23:59:58.1234567' AS datetime2)", DAY.replace(microsecond=123456)),
    ("CAST('2024-02-29T23:59:58.126' AS datetime2(2))", DAY.replace(microsecond=130000)),
    ("CAST('00112233-4455-6677-8899-aabbccddeeff' AS uniqueidentifier)", uuid.UUID("00112233-4455-6677-8899-aabbccddeeff")),
    ("CAST(N'ž 日本' AS nvarchar(10))", "ž 日本"),
    ("CAST('abc' AS varchar(10))", "abc"),
    ("CAST('abc' AS char(5))", "abc  "),
    ("CAST(N'abc' AS nchar(5))", "abc  "),
    ("CAST(0x00FF10 AS varbinary(8))", b"\x00\xff\x10"),
    ("CAST(0x01 AS binary(3))", b"\x01\x00\x00"),
    ("REPLICATE(CAST(N'x' AS nvarchar(max)), 20000)", "x" * 20000),
    ("REPLICATE(CAST('y' AS varchar(max)), 9000)", "y" * 9000),
    ("CAST(N'' AS nvarchar(max))", ""),
    ("CAST(0x AS varbinary(max))", b""),
]
for _hours, _minutes in ((5, 30), (-5, -30)):
    _zone = datetime.timezone(datetime.timedelta(hours=_hours, minutes=_minutes))
    _offset = f"{_hours:+03}:{abs(_minutes)}"
    VALUES.append((f"CAST('2024-02-29T23:59:58.5 {_offset}' AS datetimeoffset)", DAY.replace(microsecond=500000, tzinfo=_zone)))


class Connection:
    """A driver's connection; `translated` makes a `SqlError` of its errors."""

    def __init__(self, driver, translated, connect):
        self.driver, self.translated = driver, translated
        self.inner = self.ask(connect)

    def ask(self, work):
        try:
            return work()
        except self.driver.Error as error:
            raise self.translated(error) from error

    def batch(self, text, parameters=None):
        return self.ask(lambda: self.sets(text, parameters))

    def sets(self, text, parameters):
        cursor = self.inner.cursor()
        cursor.execute(text, parameters)
        sets = []
        while True:
            if cursor.description is not None:
                sets.append([list(row) for row in cursor.fetchall()])
            if not cursor.nextset():
                return sets

    def one(self, text, parameters=None):
        return self.batch(text, parameters)[0][0]

    def close(self):
        self.inner.close()


def types(report, admin):
    for expression, wanted in VALUES:
        def work(expression=expression, wanted=wanted):
            found = admin.one(f"SELECT {expression}")[0]
            assert found == wanted and type(found) is type(wanted), f"{found!r:.80}, not {wanted!r:.80}"

        report.check(expression[:60], work)


def behaviour(report, connect):
    def big_rows():
        rows = connect("admin").batch(
            "WITH n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 3000) "
            "SELECT i, REPLICATE(N'ab', 500) AS wide FROM n OPTION (MAXRECURSION 0)"
        )[0]
        assert len(rows) == 3000 and rows[2999] == [3000, "ab" * 500], len(rows)

    report.check("rows over thousands of packets", big_rows)

    def transaction():
        admin = connect("admin", autocommit=False)
        admin.batch("DELETE FROM dbo.Orders")
        admin.inner.rollback()
        assert admin.one("SELECT COUNT(*) FROM dbo.Orders") == [3]
        admin.batch("CREATE ROLE by_driver")
        admin.inner.commit()
        assert admin.one("SELECT COUNT(*) FROM sys.database_principals WHERE name = N'by_driver'") == [1]

    report.check("the driver's own transactions", transaction)
