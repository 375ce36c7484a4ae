"""The Azure CLI, with the emulator registered as a cloud of its own."""

import json
import subprocess
import sys
import tempfile
import unittest

from stage import ADMINS, GROUP, OPERATOR, READER, SERVER, SERVICE, SERVICE_ID, SUBSCRIPTION, Stage

# Seconds for one command; the CLI takes a few to start.
PATIENCE = 180
IN_SERVICE = ("-g", GROUP, "-n", SERVICE)
OF_SERVICE = ("-g", GROUP, "--service-name", SERVICE)
OF_SERVER = ("-g", GROUP, "--server", SERVER)


class Refused(Exception):
    pass


class Cli(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        # Long-running operations ask again after Retry-After; without one the CLI waits 30 s.
        cls.stage = Stage(retryAfter="1")
        cls.home = tempfile.TemporaryDirectory(prefix="keyless-az-", ignore_cleanup_errors=True)
        cls.environment = {
            **cls.stage.environment(),
            "AZURE_CONFIG_DIR": cls.home.name,
            "AZURE_CORE_INSTANCE_DISCOVERY": "false",
            "AZURE_CORE_COLLECT_TELEMETRY": "false",
            "AZURE_CORE_NO_COLOR": "true",
        }
        try:
            cls.az("cloud", "register", "-n", "Emulator", "--endpoint-resource-manager", cls.stage.arm)
            cls.az("cloud", "set", "-n", "Emulator")
            cls.az(
                "login", "--service-principal", "-u", cls.stage.client_id, "-p", cls.stage.secret,
                "--tenant", cls.stage.tenant,
            )
        except BaseException:
            cls.tearDownClass()
            raise

    @classmethod
    def tearDownClass(cls):
        cls.stage.stop()
        cls.home.cleanup()

    @classmethod
    def az(cls, *arguments):
        """What a command prints, read as JSON."""
        command = [sys.executable, "-m", "azure.cli", *arguments, "-o", "json", "--only-show-errors"]
        done = subprocess.run(
            command, env=cls.environment, capture_output=True, text=True, timeout=PATIENCE
        )
        if done.returncode != 0:
            raise Refused(f"az {' '.join(arguments[:4])}: {done.stderr.strip()[-2000:]}")
        return json.loads(done.stdout) if done.stdout.strip() else None

    def names(self, *arguments):
        return [one["name"] for one in self.az(*arguments)]

    def test_account(self):
        shown = self.az("account", "show")
        self.assertEqual((shown["id"], shown["environmentName"]), (SUBSCRIPTION, "Emulator"))
        self.assertEqual(shown["user"]["type"], "servicePrincipal")
        self.assertIn("accessToken", self.az("account", "get-access-token"))
        self.assertIn(GROUP, self.names("group", "list"))
        with self.assertRaisesRegex(Refused, "AADSTS7000215"):
            self.az("login", "--service-principal", "-u", READER, "-p", "not-the-Secret",
                    "--tenant", self.stage.tenant)

    def test_service(self):
        self.assertEqual(self.az("apim", "show", *IN_SERVICE)["provisioningState"], "Succeeded")
        self.assertIn(SERVICE, self.names("apim", "list", "-g", GROUP))
        changed = self.az("apim", "update", *IN_SERVICE, "--publisher-name", "Harbour")
        self.assertEqual(changed["publisherName"], "Harbour")
        self.assertFalse(self.az("apim", "check-name", "-n", SERVICE)["nameAvailable"])

    def test_named_values(self):
        of = (*OF_SERVICE, "--named-value-id")
        made = self.az("apim", "nv", "create", *of, "az-key", "--display-name", "az-key",
                       "--value", "Az-Value-1", "--secret", "true")
        self.assertIsNone(made["value"])
        self.assertEqual(self.az("apim", "nv", "show-secret", *of, "az-key")["value"], "Az-Value-1")
        self.az("apim", "nv", "update", *of, "az-key", "--value", "Az-Value-2", "--secret", "true")
        self.assertEqual(self.az("apim", "nv", "show-secret", *of, "az-key")["value"], "Az-Value-2")
        self.assertIn("az-key", self.names("apim", "nv", "list", *OF_SERVICE))
        self.az("apim", "nv", "delete", *of, "az-key", "-y")
        with self.assertRaisesRegex(Refused, "ResourceNotFound"):
            self.az("apim", "nv", "show", *of, "az-key")

    def test_apis(self):
        self.az("apim", "api", "create", *OF_SERVICE, "--api-id", "az", "--path", "az", "--display-name", "Az")
        self.az("apim", "api", "operation", "create", *OF_SERVICE, "--api-id", "az", "--operation-id", "one",
                "--display-name", "One", "--method", "GET", "--url-template", "/one")
        self.assertIn("az", self.names("apim", "api", "list", *OF_SERVICE))
        changed = self.az("apim", "api", "update", *OF_SERVICE, "--api-id", "az", "--description", "Of the CLI")
        self.assertEqual(changed["description"], "Of the CLI")
        self.az("apim", "api", "revision", "create", *OF_SERVICE, "--api-id", "az", "--api-revision", "2")
        self.assertEqual(len(self.az("apim", "api", "revision", "list", *OF_SERVICE, "--api-id", "az")), 2)
        self.az("apim", "api", "release", "create", *OF_SERVICE, "--api-id", "az", "--release-id", "two",
                "--api-revision", "2")
        self.assertEqual(self.az("apim", "api", "show", *OF_SERVICE, "--api-id", "az")["apiRevision"], "2")
        self.az("apim", "product", "create", *OF_SERVICE, "--product-id", "az", "--product-name", "Az",
                "--state", "published")
        self.az("apim", "product", "api", "add", *OF_SERVICE, "--product-id", "az", "--api-id", "az")
        self.assertEqual(self.names("apim", "product", "api", "list", *OF_SERVICE, "--product-id", "az"), ["az"])
        self.az("apim", "product", "delete", *OF_SERVICE, "--product-id", "az", "-y")
        self.az("apim", "api", "delete", *OF_SERVICE, "--api-id", "az", "--delete-revisions", "true", "-y")

    def test_sql(self):
        self.assertIn(SERVER, self.names("sql", "server", "list", "-g", GROUP))
        self.az("sql", "server", "create", "-g", GROUP, "-n", "az-quay", "-l", "westeurope", "-u", "boss",
                "-p", "Boss-Pass-1!")
        self.az("sql", "server", "update", "-g", GROUP, "-n", "az-quay", "--enable-public-network", "false")
        self.az("sql", "server", "delete", "-g", GROUP, "-n", "az-quay", "-y")
        self.az("sql", "db", "create", *OF_SERVER, "-n", "az-cargo", "--service-objective", "S0")
        self.assertIn("az-cargo", self.names("sql", "db", "list", *OF_SERVER))
        self.az("sql", "db", "delete", *OF_SERVER, "-n", "az-cargo", "-y")
        rule = ("--start-ip-address", "10.0.0.1", "--end-ip-address", "10.0.0.9")
        self.az("sql", "server", "firewall-rule", "create", *OF_SERVER, "-n", "az-office", *rule)
        self.assertIn("az-office", self.names("sql", "server", "firewall-rule", "list", *OF_SERVER))
        self.az("sql", "server", "firewall-rule", "delete", *OF_SERVER, "-n", "az-office")

    def test_sql_entra(self):
        self.az("sql", "server", "ad-admin", "create", *OF_SERVER, "-u", "sql-admins", "-i", ADMINS)
        self.assertEqual(self.az("sql", "server", "ad-admin", "list", *OF_SERVER)[0]["sid"], ADMINS)
        of = ("-g", GROUP, "-n", SERVER)
        self.az("sql", "server", "ad-only-auth", "enable", *of)
        self.assertTrue(self.az("sql", "server", "ad-only-auth", "get", *of)["azureAdOnlyAuthentication"])
        with self.assertRaisesRegex(Refused, "AadOnlyAuthenticationIsEnabled"):
            self.az("sql", "server", "ad-admin", "delete", *OF_SERVER)
        self.az("sql", "server", "ad-only-auth", "disable", *of)

    def test_roles(self):
        to = ("--assignee-object-id", OPERATOR, "--assignee-principal-type", "ServicePrincipal")
        made = self.az("role", "assignment", "create", "--role", "Reader", "--scope", SERVICE_ID, *to)
        self.assertEqual(made["principalId"], OPERATOR)
        listed = self.az("role", "assignment", "list", "--scope", SERVICE_ID, "--assignee-object-id", OPERATOR,
                         "--fill-principal-name", "false")
        self.assertIn(made["name"], [one["name"] for one in listed])
        self.az("role", "assignment", "delete", "--ids", made["id"])
        # By a name that Graph has to look up.
        made = self.az("role", "assignment", "create", "--role", "Reader", "--scope", SERVICE_ID,
                       "--assignee", READER)
        listed = self.az("role", "assignment", "list", "--scope", SERVICE_ID, "--assignee", READER)
        self.assertEqual([one["principalName"] for one in listed if one["name"] == made["name"]], [READER])
        self.az("role", "assignment", "delete", "--scope", SERVICE_ID, "--assignee", READER, "--role", "Reader")
        self.assertEqual(self.az("ad", "sp", "show", "--id", READER)["displayName"], "reader")
        self.assertEqual(self.az("role", "definition", "list", "-n", "Reader")[0]["roleName"], "Reader")

    def test_identities(self):
        made = self.az("identity", "create", "-g", GROUP, "-n", "az-deckhand", "-l", "westeurope")
        self.assertEqual(self.az("identity", "show", "-g", GROUP, "-n", "az-deckhand")["clientId"], made["clientId"])
        self.assertIn("az-deckhand", self.names("identity", "list", "-g", GROUP))
        self.az("identity", "delete", "-g", GROUP, "-n", "az-deckhand")


if __name__ == "__main__":
    sys.exit(0 if unittest.main(exit=False, verbosity=2).result.wasSuccessful() else 1)
