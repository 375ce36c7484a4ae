"""Named values of the three sorts: plain, secret, from Key Vault."""

from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.mgmt.apimanagement import models
from stage import GROUP, SERVICE
from support import Checks, apim, control, seen

AT = (GROUP, SERVICE)


class NamedValues(Checks):
    def setUp(self):
        self.client = apim()
        self.values = self.client.named_value

    def put(self, name, **fields):
        self.addCleanup(self.values.delete, *AT, name, "*")
        body = models.NamedValueCreateContract(display_name=name, **fields)
        return self.values.begin_create_or_update(*AT, name, body).result()

    def test_a_plain_value_is_created_read_changed_and_deleted(self):
        made = self.put("tide-table", value="spring", tags=["tides"])
        self.assertEqual((made.value, made.secret, made.tags), ("spring", False, ["tides"]))
        self.assertEqual(made.type, "Microsoft.ApiManagement/service/namedValues")
        self.assertTrue(self.values.get_entity_tag(*AT, "tide-table"))
        change = models.NamedValueUpdateParameters(value="neap")
        changed = self.values.begin_update(*AT, "tide-table", "*", change).result()
        self.assertEqual((changed.value, changed.tags), ("neap", ["tides"]))
        self.values.delete(*AT, "tide-table", "*")
        self.assert_gone(self.values.get, *AT, "tide-table")
        with self.assertRaises(ResourceNotFoundError):
            self.values.get_entity_tag(*AT, "tide-table")
        self.values.delete(*AT, "tide-table", "*")

    def test_a_secret_is_told_only_by_its_action(self):
        made = self.put("crane-key", value="Hook-And-Line-3", secret=True)
        self.assertIsNone(made.value)
        self.assertIsNone(self.values.get(*AT, "crane-key").value)
        listed = {one.name: one for one in self.values.list_by_service(*AT)}
        self.assertIsNone(listed["crane-key"].value)
        self.assertEqual(self.values.list_value(*AT, "crane-key").value, "Hook-And-Line-3")

    def test_a_key_vault_reference_says_how_its_last_read_went(self):
        vault = models.KeyVaultContractCreateProperties(
            secret_identifier="https://harbour-kv.vault.azure.net/secrets/tide-key"
        )
        made = self.put("tide-key", key_vault=vault, secret=True)
        self.assertEqual(made.key_vault.last_status.code, "Success")
        self.assertIsNotNone(made.key_vault.last_status.time_stamp_utc)
        again = self.values.begin_refresh_secret(*AT, "tide-key").result()
        self.assertEqual(again.key_vault.last_status.code, "Success")
        self.assertEqual(self.values.list_value(*AT, "tide-key").value, "Ebb-And-Flow-9")
        failed = self.values.list_by_service(*AT, is_key_vault_refresh_failed=True)
        self.assertEqual([one.name for one in failed], [])

    def test_lists_come_in_pages(self):
        for at in range(7):
            self.put(f"page-{at}", value=str(at))
        names = [one.name for one in self.values.list_by_service(*AT)]
        self.assertEqual(len(names), len(set(names)))
        self.assertLessEqual({f"page-{at}" for at in range(7)}, set(names))
        pages = [list(page) for page in self.values.list_by_service(*AT).by_page()]
        self.assertGreater(len(pages), 2)
        self.assertTrue(all(len(page) <= 3 for page in pages))
        two = list(self.values.list_by_service(*AT, top=2, skip=1).by_page())
        self.assertEqual([one.name for one in two[0]], names[1:3])

    def test_filters_narrow_the_list(self):
        self.put("filter-a", value="1", tags=["red"])
        self.put("filter-b", value="2", tags=["blue", "red"])
        self.put("other-c", value="3", tags=["blue"])

        def found(text):
            return [one.name for one in self.values.list_by_service(*AT, filter=text)]

        self.assertEqual(found("displayName eq 'filter-a'"), ["filter-a"])
        self.assertEqual(found("startswith(displayName,'filter-')"), ["filter-a", "filter-b"])
        self.assertEqual(found("tags/any(c: c eq 'red')"), ["filter-a", "filter-b"])

    def test_a_stale_etag_is_refused(self):
        self.put("berth-db", value="one")
        _, answer = seen(self.values.get, *AT, "berth-db")
        stale = answer.headers["ETag"]
        change = models.NamedValueUpdateParameters(value="two")
        self.values.begin_update(*AT, "berth-db", stale, change).result()
        refused = self.assert_refused(
            412, "PreconditionFailed", self.values.delete, *AT, "berth-db", stale
        )
        self.assertTrue(refused.message)
        self.assert_refused(
            412, "PreconditionFailed", self.values.begin_update, *AT, "berth-db", stale, change
        )

    def test_a_value_can_be_accepted_and_then_fail(self):
        fault = {"verb": "PUT", "path": "/namedValues/late", "effect": "late", "status": 400,
                 "code": "ValidationError", "message": "The display name is taken."}
        control("POST", "/_emulator/faults", fault)
        body = models.NamedValueCreateContract(display_name="late", value="x")
        poller = self.values.begin_create_or_update(*AT, "late", body)
        with self.assertRaises(HttpResponseError) as caught:
            poller.result()
        self.assertIn("display name is taken", str(caught.exception))
        self.assert_gone(self.values.get, *AT, "late")

    def test_two_values_cannot_share_a_display_name(self):
        self.put("twin", value="x")
        body = models.NamedValueCreateContract(display_name="twin", value="y")
        with self.assertRaises(HttpResponseError) as caught:
            self.values.begin_create_or_update(*AT, "twin-2", body).result()
        self.assertEqual(caught.exception.error.code, "ValidationError")

    def test_a_name_with_a_blank_is_refused_with_details(self):
        body = models.NamedValueCreateContract(display_name="two words", value="x")
        refused = self.assert_refused(
            400, "ValidationError", self.values.begin_create_or_update, *AT, "blank", body
        )
        self.assertEqual(refused.error.details[0].target, "displayName")
