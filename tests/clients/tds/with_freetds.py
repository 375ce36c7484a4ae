"""FreeTDS' own `tsql` with GnuTLS: TDS 7.4; passwords only. It is driven as a user drives it."""

import os
import re
import subprocess

import freetdsconf
from cases import LOGINS, Report, SqlError

# Nobody's data has these in it.
COLUMN, ROW = "\x1f", "\x1e"
MESSAGE = re.compile(r'Msg (\d+) \(severity (\d+), state (\d+)\) from \S+(?: Procedure (\S+))? Line (\d+):\n\t"(.*)"')


def tsql(login, batches, server="orders-sql"):
    database, user, password = login
    command = ["tsql", "-S", server, "-U", user, "-P", password, "-D", database, "-o", "q", "-t", COLUMN, "-r", ROW]
    environment = {**os.environ, "LC_ALL": "C.UTF-8", "FREETDSCONF": str(freetdsconf.FILE)}
    script = "".join(f"{batch}\nGO\n" for batch in batches)
    return subprocess.run(command, input=script, capture_output=True, text=True, env=environment, timeout=60)


def errors(done):
    found = [SqlError(int(n), int(state), int(severity), int(line), said) for n, severity, state, _, line, said in MESSAGE.findall(done.stderr)]
    return [error for error in found if error.severity > 10]


def rows(done):
    """Everything that was printed, result sets one after another, each with its names first."""
    return [line.split(COLUMN) for line in done.stdout.split(ROW) if line != "" or COLUMN in line]


def run_step(step):
    """tsql prints no border between result sets: names and rows are looked for in their order."""
    batches = ["\n".join(batch) for batch in step.batches]
    # tsql ends with its input; the batches of a step go over one connection, as they should.
    done = tsql(LOGINS[step.who], batches)
    found = errors(done)
    if step.error:
        assert found and found[-1].number == step.error[0], f"{found or rows(done)}, not {step.error}"
        if len(step.error) > 1:
            assert found[-1].line == step.error[1], f"{found[-1]} is not in line {step.error[1]}"
        return
    assert not found, found
    printed = rows(done)
    wanted = [row for rows_of_one in step.sets for row in rows_of_one]
    for row in wanted:
        match = lambda line: len(line) == len(row) and all(w in ("?", cell.strip()) for w, cell in zip(row, line))
        at = next((at for at, line in enumerate(printed) if match(line)), None)
        assert at is not None, f"{row} is not in {printed}"
        printed = printed[at + 1 :]


def logins(report):
    def refused(title, number, *login, server="orders-sql"):
        def work():
            found = [error.number for error in errors(tsql(login, ["SELECT 1"], server))]
            assert found and found[0] == number, found
            assert found[1:] in ([], [18456]), found

        report.check(f"{title} is {number}", work)

    refused("a wrong password", 18456, "orders", "sqladmin", "wrong")
    refused("an unknown login", 18456, "orders", "nobody", "x")
    refused("no such database", 4060, "none", "sqladmin", "Made-up-admin-1")
    refused("no user in it", 4060, "orders", "homeless", "Made-up-homeless-1")
    refused("the firewall", 40615, "orders", "sqladmin", "Made-up-admin-2", server="fenced-sql")
    refused("Entra-only", 18456, "orders", "sqladmin", "Made-up-admin-3", server="entra-sql")
    refused("no such server", 40532, "orders", "a", "b", server="none")


def types(report):
    def value(expression, wanted):
        def work():
            done = tsql(LOGINS["admin"], [f"SELECT {expression} AS v"])
            assert rows(done) == [["v"], [wanted]], (done.stdout, done.stderr)

        report.check(expression[:60], work)

    value("CAST(1 AS bit)", "1")
    value("CAST(9223372036854775807 AS bigint)", "9223372036854775807")
    value("CAST(-12.345 AS decimal(9,3))", "-12.345")
    value("CAST(92233720368.5807 AS money)", "92233720368.5807")
    value("CAST(0.5 AS real)", "0.5")
    value("CAST('00112233-4455-6677-8899-aabbccddeeff' AS uniqueidentifier)", "00112233-4455-6677-8899-AABBCCDDEEFF")
    value("CAST(N'ž 日本' AS nvarchar(10))", "ž 日本")
    value("CAST('abc' AS char(5))", "abc  ")
    value("CAST(0x00FF10 AS varbinary(8))", "00ff10")
    value("CAST(NULL AS datetime2)", "NULL")
    value("REPLICATE(CAST(N'x' AS nvarchar(max)), 20000)", "x" * 20000)
    value("LEFT(CONVERT(nvarchar(40), CAST('2024-02-29T23:59:58.5 -05:30' AS datetimeoffset), 127), 10)", "2024-02-29")
    for ty in ("datetime", "smalldatetime", "datetime2", "date", "datetimeoffset", "time"):
        def work(ty=ty):
            done = tsql(LOGINS["admin"], [f"SELECT CAST('2024-02-29T23:59:00' AS {ty}) AS v"])
            shown = rows(done)[1][0]
            assert ("Feb 29 2024" in shown or "2024-02-29" in shown or ty == "time") and (ty == "date" or "59" in shown), shown

        report.check(ty, work)


def main():
    freetdsconf.write()
    report = Report()
    logins(report)
    types(report)
    report.shared_by(run_step)
    version = subprocess.run(["tsql", "-C"], capture_output=True, text=True).stdout
    report.end("tsql of " + re.search(r"freetds v[\d.]+", version).group())


main()
