"""SQL servers: databases, Entra admin, Entra-only, firewall rules, auditing."""

from azure.mgmt.sql import models
from stage import ADMINS, GROUP, SERVER
from support import Checks, sql


class Sql(Checks):
    def setUp(self):
        self.client = sql()

    def make_server(self, name):
        body = models.Server(
            location="westeurope", administrator_login="boss", administrator_login_password="Boss-Pass-1!",
            minimal_tls_version="1.2", identity=models.ResourceIdentity(type="SystemAssigned"),
        )
        made = self.client.servers.begin_create_or_update(GROUP, name, body).result()
        self.addCleanup(lambda: self.client.servers.begin_delete(GROUP, name).result())
        return made

    def test_a_server_is_created_read_changed_and_deleted(self):
        made = self.make_server("slip")
        self.assertEqual((made.state, made.administrator_login), ("Ready", "boss"))
        self.assertIsNone(made.administrator_login_password)
        self.assertTrue(made.identity.principal_id)
        self.assertTrue(made.fully_qualified_domain_name.startswith("slip.database."))
        change = models.ServerUpdate(public_network_access="Disabled", tags={"a": "b"})
        changed = self.client.servers.begin_update(GROUP, "slip", change).result()
        self.assertEqual((changed.public_network_access, changed.tags), ("Disabled", {"a": "b"}))
        for listed in (self.client.servers.list(), self.client.servers.list_by_resource_group(GROUP)):
            self.assertLessEqual({"slip", SERVER}, {one.name for one in listed})
        self.client.servers.begin_delete(GROUP, "slip").result()
        self.assert_gone(self.client.servers.get, GROUP, "slip")

    def test_a_database_is_created_read_changed_and_deleted(self):
        databases = self.client.databases
        body = models.Database(location="westeurope", sku=models.Sku(name="S0", tier="Standard"))
        made = databases.begin_create_or_update(GROUP, SERVER, "cargo", body).result()
        self.assertEqual((made.status, made.sku.name), ("Online", "S0"))
        self.assertTrue(made.database_id and made.creation_date)
        change = models.DatabaseUpdate(tags={"k": "v"})
        self.assertEqual(databases.begin_update(GROUP, SERVER, "cargo", change).result().tags, {"k": "v"})
        names = {one.name for one in databases.list_by_server(GROUP, SERVER)}
        self.assertLessEqual({"master", "cargo", "berths"}, names)
        databases.begin_delete(GROUP, SERVER, "cargo").result()
        self.assert_gone(databases.get, GROUP, SERVER, "cargo")

    def test_the_entra_admin_and_entra_only_need_each_other(self):
        self.make_server("slip-2")
        only, admins = self.client.server_azure_ad_only_authentications, self.client.server_azure_ad_administrators
        on = models.ServerAzureADOnlyAuthentication(azure_ad_only_authentication=True)
        self.assert_refused(
            400, "AadAdministratorNotConfigured", only.begin_create_or_update, GROUP, "slip-2", "Default", on
        )
        body = models.ServerAzureADAdministrator(
            administrator_type="ActiveDirectory", login="sql-admins", sid=ADMINS,
            tenant_id="5c1e0f00-0000-4000-8000-000000000001",
        )
        made = admins.begin_create_or_update(GROUP, "slip-2", "ActiveDirectory", body).result()
        self.assertEqual((made.login, made.sid), ("sql-admins", ADMINS))
        self.assertEqual(len(list(admins.list_by_server(GROUP, "slip-2"))), 1)
        flag = only.begin_create_or_update(GROUP, "slip-2", "Default", on).result()
        self.assertTrue(flag.azure_ad_only_authentication)
        shown = self.client.servers.get(GROUP, "slip-2", expand="administrators/activedirectory")
        self.assertTrue(shown.administrators.azure_ad_only_authentication)
        self.assertEqual(shown.administrators.sid, ADMINS)
        self.assert_refused(
            400, "AadOnlyAuthenticationIsEnabled", admins.begin_delete, GROUP, "slip-2", "ActiveDirectory"
        )
        off = models.ServerAzureADOnlyAuthentication(azure_ad_only_authentication=False)
        only.begin_create_or_update(GROUP, "slip-2", "Default", off).result()
        self.assertFalse(list(only.list_by_server(GROUP, "slip-2"))[0].azure_ad_only_authentication)
        admins.begin_delete(GROUP, "slip-2", "ActiveDirectory").result()
        self.assert_gone(admins.get, GROUP, "slip-2", "ActiveDirectory")

    def test_firewall_rules(self):
        rules = self.client.firewall_rules
        for at in range(5):
            body = models.FirewallRule(start_ip_address=f"10.0.{at}.1", end_ip_address=f"10.0.{at}.9")
            made = rules.create_or_update(GROUP, SERVER, f"office-{at}", body)
        self.assertEqual((made.name, made.end_ip_address), ("office-4", "10.0.4.9"))
        self.assertEqual(rules.get(GROUP, SERVER, "office-0").start_ip_address, "10.0.0.1")
        self.assertEqual(len(list(rules.list_by_server(GROUP, SERVER))), 5)
        upside_down = models.FirewallRule(start_ip_address="10.0.0.9", end_ip_address="10.0.0.1")
        self.assert_refused(400, "InvalidParameterValue", rules.create_or_update, GROUP, SERVER, "bad", upside_down)
        for at in range(1, 5):
            rules.delete(GROUP, SERVER, f"office-{at}")
        one = models.FirewallRule(name="only", start_ip_address="10.1.0.1", end_ip_address="10.1.0.2")
        rules.replace(GROUP, SERVER, models.FirewallRuleList(values_property=[one]))
        self.assertEqual([one.name for one in rules.list_by_server(GROUP, SERVER)], ["only"])
        rules.delete(GROUP, SERVER, "only")
        self.assert_gone(rules.get, GROUP, SERVER, "only")

    def test_auditing_of_a_server_and_of_a_database(self):
        server = self.client.extended_server_blob_auditing_policies
        body = models.ExtendedServerBlobAuditingPolicy(
            state="Enabled", is_azure_monitor_target_enabled=True,
            audit_actions_and_groups=["SUCCESSFUL_DATABASE_AUTHENTICATION_GROUP"],
        )
        made = server.begin_create_or_update(GROUP, SERVER, body).result()
        self.assertEqual((made.state, made.is_azure_monitor_target_enabled), ("Enabled", True))
        self.assertEqual(server.get(GROUP, SERVER).audit_actions_and_groups, body.audit_actions_and_groups)
        self.assertEqual(len(list(server.list_by_server(GROUP, SERVER))), 1)
        database = self.client.extended_database_blob_auditing_policies
        self.assertEqual(database.get(GROUP, SERVER, "berths").state, "Disabled")
        body = models.ExtendedDatabaseBlobAuditingPolicy(state="Enabled", is_azure_monitor_target_enabled=True)
        self.assertEqual(database.create_or_update(GROUP, SERVER, "berths", body).state, "Enabled")
        self.assertEqual(database.get(GROUP, SERVER, "berths").state, "Enabled")

    def test_a_storage_key_of_auditing_is_not_told(self):
        server = self.client.extended_server_blob_auditing_policies
        body = models.ExtendedServerBlobAuditingPolicy(
            state="Enabled", storage_endpoint="https://a.blob.localhost", storage_account_access_key="QmFs"
        )
        server.begin_create_or_update(GROUP, SERVER, body).result()
        self.assertIsNone(server.get(GROUP, SERVER).storage_account_access_key)

    def test_connection_policies(self):
        policies = self.client.server_connection_policies
        self.assertEqual(policies.get(GROUP, SERVER, "default").connection_type, "Default")
        body = models.ServerConnectionPolicy(connection_type="Proxy")
        policies.begin_create_or_update(GROUP, SERVER, "default", body).result()
        self.assertEqual(policies.get(GROUP, SERVER, "default").connection_type, "Proxy")
