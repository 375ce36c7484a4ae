"""Role definitions and assignments, and user-assigned identities."""

import uuid

from azure.core.exceptions import HttpResponseError
from azure.mgmt.authorization.v2022_04_01 import models
from azure.mgmt.msi.v2024_11_30 import models as msi
from stage import GROUP, OPERATOR, SERVICE_ID, SUBSCRIPTION
from support import Checks, identities, roles

AT_SUBSCRIPTION = f"/subscriptions/{SUBSCRIPTION}"


class Roles(Checks):
    def setUp(self):
        self.client = roles()

    def definition(self, name):
        found = self.client.role_definitions.list(AT_SUBSCRIPTION, filter=f"roleName eq '{name}'")
        (one,) = list(found)
        return one

    def test_definitions_are_found_by_name_and_by_id(self):
        reader = self.definition("Reader")
        self.assertEqual(reader.name, "acdd72a7-3385-48ef-bd42-f606fba81ae7")
        self.assertEqual(reader.role_type, "BuiltInRole")
        self.assertEqual(reader.permissions[0].actions, ["*/read"])
        self.assertEqual(self.client.role_definitions.get(AT_SUBSCRIPTION, reader.name).id, reader.id)
        self.assertEqual(self.client.role_definitions.get_by_id(reader.id).role_name, "Reader")
        self.assertGreater(len(list(self.client.role_definitions.list(SERVICE_ID))), 10)
        self.assert_refused(
            404, "RoleDefinitionDoesNotExist", self.client.role_definitions.get, AT_SUBSCRIPTION,
            str(uuid.uuid4()),
        )

    def assign(self, principal, role, scope=SERVICE_ID, principal_type=None, **fields):
        # The model's own default for the type is User; None leaves it out.
        body = models.RoleAssignmentCreateParameters(
            role_definition_id=self.definition(role).id, principal_id=principal,
            principal_type=principal_type, **fields,
        )
        made = self.client.role_assignments.create(scope, str(uuid.uuid4()), body)
        self.addCleanup(self.client.role_assignments.delete, scope, made.name)
        return made

    def test_an_assignment_is_created_read_listed_and_deleted(self):
        made = self.assign(OPERATOR, "Reader", principal_type="ServicePrincipal", description="tests")
        self.assertEqual((made.scope, made.principal_type), (SERVICE_ID, "ServicePrincipal"))
        assignments = self.client.role_assignments
        self.assertEqual(assignments.get(SERVICE_ID, made.name).description, "tests")
        self.assertEqual(assignments.get_by_id(made.id).name, made.name)
        for found in (
            assignments.list_for_scope(SERVICE_ID, filter="atScope()"),
            assignments.list_for_scope(SERVICE_ID, filter=f"principalId eq '{OPERATOR}'"),
            assignments.list_for_subscription(),
            assignments.list_for_resource_group(GROUP),
            assignments.list_for_resource(GROUP, "Microsoft.ApiManagement", "service", "harbour"),
        ):
            self.assertIn(made.name, [one.name for one in found])
        gone = assignments.delete(SERVICE_ID, made.name)
        self.assertEqual(gone.name, made.name)
        self.assert_refused(404, "RoleAssignmentNotFound", assignments.get, SERVICE_ID, made.name)
        self.assertIsNone(assignments.delete(SERVICE_ID, made.name))

    def test_an_equal_assignment_is_a_conflict(self):
        self.assign(OPERATOR, "Reader")
        self.assert_refused(409, "RoleAssignmentExists", self.assign, OPERATOR, "Reader")

    def test_a_name_cannot_pass_to_another_principal(self):
        made = self.assign(OPERATOR, "Reader")
        body = models.RoleAssignmentCreateParameters(
            role_definition_id=made.role_definition_id, principal_type=None,
            principal_id="5c1e0f00-0000-4000-8000-0000000000a2",
        )
        self.assert_refused(
            400, "RoleAssignmentUpdateNotPermitted", self.client.role_assignments.create, SERVICE_ID,
            made.name, body,
        )

    def test_a_new_identity_is_not_found_at_first(self):
        own = identities().user_assigned_identities
        made = own.create_or_update(GROUP, "fresh", msi.Identity(location="westeurope"))
        self.addCleanup(own.delete, GROUP, "fresh")
        self.assert_refused(400, "PrincipalNotFound", self.assign, made.principal_id, "Reader")
        typed = self.assign(made.principal_id, "Reader", principal_type="ServicePrincipal")
        self.assertEqual(typed.principal_id, made.principal_id)

    def test_a_type_that_is_not_the_principals_is_refused(self):
        self.assert_refused(400, "UnmatchedPrincipalType", self.assign, OPERATOR, "Reader", principal_type="User")


class Identities(Checks):
    def setUp(self):
        self.client = identities()

    def test_an_identity_is_created_read_changed_and_deleted(self):
        own = self.client.user_assigned_identities
        made = own.create_or_update(GROUP, "deckhand", msi.Identity(location="westeurope", tags={"a": "1"}))
        self.assertTrue(made.principal_id and made.client_id and made.tenant_id)
        self.assertEqual(own.get(GROUP, "deckhand").client_id, made.client_id)
        changed = own.update(GROUP, "deckhand", msi.IdentityUpdate(tags={"a": "2"}))
        self.assertEqual((changed.tags, changed.principal_id), ({"a": "2"}, made.principal_id))
        for listed in (own.list_by_subscription(), own.list_by_resource_group(GROUP)):
            self.assertLessEqual({"deckhand", "harbour-calls"}, {one.name for one in listed})
        own.delete(GROUP, "deckhand")
        self.assert_gone(own.get, GROUP, "deckhand")
        again = own.create_or_update(GROUP, "deckhand", msi.Identity(location="westeurope"))
        self.assertNotEqual(again.principal_id, made.principal_id)
        own.delete(GROUP, "deckhand")

    def test_a_system_assigned_identity_tells_its_client_id(self):
        found = self.client.system_assigned_identities.get_by_scope(SERVICE_ID)
        self.assertEqual(found.name, "default")
        self.assertTrue(found.client_id and found.principal_id)

    def test_federated_credentials_of_an_identity(self):
        federated = self.client.federated_identity_credentials
        body = msi.FederatedIdentityCredential(
            issuer="https://issuer.localhost", subject="repo:harbour", audiences=["api://AzureADTokenExchange"]
        )
        made = federated.create_or_update(GROUP, "harbour-calls", "pipeline", body)
        self.assertEqual(made.subject, "repo:harbour")
        self.assertEqual(len(list(federated.list(GROUP, "harbour-calls"))), 1)
        federated.delete(GROUP, "harbour-calls", "pipeline")
        with self.assertRaises(HttpResponseError):
            federated.get(GROUP, "harbour-calls", "pipeline")
