"""The API Management service: create, read, list, identity, publisher, delete."""

from azure.mgmt.apimanagement import models
from stage import GROUP, SERVICE, SERVICE_ID, SUBSCRIPTION
from support import Checks, apim, identities

OWN = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}/providers/Microsoft.ManagedIdentity"


class Service(Checks):
    def setUp(self):
        self.services = apim().api_management_service

    def test_the_service_is_listed_in_its_group_and_its_subscription(self):
        for listed in (self.services.list(), self.services.list_by_resource_group(GROUP)):
            self.assertIn(SERVICE, [one.name for one in listed])
        found = self.services.get(GROUP, SERVICE)
        self.assertEqual((found.id, found.sku.name), (SERVICE_ID, "Premium"))
        self.assertEqual(found.provisioning_state, "Succeeded")
        self.assertIsNotNone(found.etag)
        self.assertIsNotNone(found.created_at_utc)
        self.assertTrue(found.gateway_url.startswith("https://harbour.azure-api."))

    def test_a_service_is_created_changed_and_deleted(self):
        body = models.ApiManagementServiceResource(
            location="westeurope",
            sku=models.ApiManagementServiceSkuProperties(name="Developer", capacity=1),
            publisher_email="harbour@example.org",
            publisher_name="Harbour",
            tags={"owner": "tests"},
        )
        made = self.services.begin_create_or_update(GROUP, "second", body).result()
        self.assertEqual((made.publisher_name, made.tags), ("Harbour", {"owner": "tests"}))
        change = models.ApiManagementServiceUpdateParameters(publisher_name="Port")
        changed = self.services.begin_update(GROUP, "second", change).result()
        self.assertEqual((changed.publisher_name, changed.tags), ("Port", {"owner": "tests"}))
        self.services.begin_delete(GROUP, "second").result()
        self.assert_gone(self.services.get, GROUP, "second")

    def test_identities_are_added_and_a_new_one_is_another_principal(self):
        own = identities().user_assigned_identities.get(GROUP, "harbour-calls")
        self.addCleanup(self.set_identity, "SystemAssigned")
        both = self.set_identity("SystemAssigned, UserAssigned", {own.id: {}})
        self.assertEqual(both.identity.type, "SystemAssigned, UserAssigned")
        (shown,) = both.identity.user_assigned_identities.values()
        self.assertEqual((shown.principal_id, shown.client_id), (own.principal_id, own.client_id))
        first = both.identity.principal_id
        self.assertIsNotNone(both.identity.tenant_id)
        none = self.set_identity("None")
        self.assertTrue(none.identity is None or none.identity.principal_id is None)
        again = self.set_identity("SystemAssigned")
        self.assertNotEqual(again.identity.principal_id, first)

    def set_identity(self, kind, users=None):
        identity = models.ApiManagementServiceIdentity(type=kind, user_assigned_identities=users)
        change = models.ApiManagementServiceUpdateParameters(identity=identity)
        self.services.begin_update(GROUP, SERVICE, change).result()
        return self.services.get(GROUP, SERVICE)

    def test_an_absent_service_is_an_absent_resource(self):
        refused = self.assert_refused(404, "ResourceNotFound", self.services.get, GROUP, "nowhere")
        self.assertIn("Microsoft.ApiManagement/service/nowhere", refused.message)

    def test_a_child_of_an_absent_service_names_the_parent(self):
        listed = apim().named_value.list_by_service(GROUP, "nowhere")
        self.assert_refused(404, "ParentResourceNotFound", list, listed)

    def test_a_name_can_be_asked_for(self):
        ask = models.ApiManagementServiceCheckNameAvailabilityParameters
        self.assertFalse(self.services.check_name_availability(ask(name=SERVICE)).name_available)
        self.assertTrue(self.services.check_name_availability(ask(name="free")).name_available)
