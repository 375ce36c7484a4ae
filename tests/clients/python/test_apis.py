"""APIs with revisions, releases, operations, resolvers, schemas and version sets."""

from azure.mgmt.apimanagement import models
from stage import GROUP, SERVICE
from support import Checks, apim, seen

AT = (GROUP, SERVICE)


class Apis(Checks):
    def setUp(self):
        self.client = apim()
        self.apis = self.client.api

    def make(self, name, **fields):
        def delete():
            self.apis.begin_delete(*AT, name, "*", delete_revisions=True).result()

        self.addCleanup(delete)
        fields = {"display_name": name, "path": name, "protocols": ["https"], **fields}
        body = models.ApiCreateOrUpdateParameter(**fields)
        return self.apis.begin_create_or_update(*AT, name, body).result()

    def test_an_api_is_created_read_changed_and_deleted(self):
        made = self.make("tides", service_url="https://tides.localhost", description="High water")
        self.assertEqual((made.path, made.api_revision, made.is_current), ("tides", "1", True))
        self.assertTrue(self.apis.get_entity_tag(*AT, "tides"))
        change = models.ApiUpdateContract(description="Low water")
        changed, answer = seen(self.apis.update, *AT, "tides", "*", change)
        self.assertEqual((changed.description, answer.status_code), ("Low water", 200))
        self.assertIn("ETag", answer.headers)
        self.assertEqual(changed.service_url, "https://tides.localhost")
        self.assertIn("tides", [one.name for one in self.apis.list_by_service(*AT)])
        self.apis.begin_delete(*AT, "tides", "*").result()
        self.assert_gone(self.apis.get, *AT, "tides")

    def test_an_unmet_etag_stops_an_update_and_a_delete(self):
        self.make("locks")
        change = models.ApiUpdateContract(description="x")
        self.assert_refused(412, "PreconditionFailed", self.apis.update, *AT, "locks", '"AAA="', change)
        self.assert_refused(412, "PreconditionFailed", self.apis.begin_delete, *AT, "locks", '"AAA="')

    def test_apis_are_listed_in_pages_and_by_name(self):
        for at in range(5):
            self.make(f"api-{at}")
        names = [one.name for one in self.apis.list_by_service(*AT)]
        self.assertLessEqual({f"api-{at}" for at in range(5)}, set(names))
        found = self.apis.list_by_service(*AT, filter="name eq 'api-3'")
        self.assertEqual([one.name for one in found], ["api-3"])
        found = self.apis.list_by_service(*AT, filter="contains(path,'api-') and displayName ne 'api-0'")
        self.assertEqual([one.name for one in found], [f"api-{at}" for at in (1, 2, 3, 4)])

    def test_a_revision_is_made_from_an_api_and_released(self):
        first = self.make("cranes", service_url="https://one.localhost")
        operation = models.OperationContract(display_name="Lift", method="POST", url_template="/lift")
        self.client.api_operation.create_or_update(*AT, "cranes", "lift", operation)
        self.make_revision(first, "2", service_url="https://two.localhost")
        copied = self.client.api_operation.get(*AT, "cranes;rev=2", "lift")
        self.assertEqual(copied.url_template, "/lift")
        revisions = {one.api_revision: one for one in self.client.api_revision.list_by_service(*AT, "cranes")}
        self.assertEqual({key: one.is_current for key, one in revisions.items()}, {"1": True, "2": False})
        release = models.ApiReleaseContract(api_id=f"{first.id};rev=2", notes="Second")
        made = self.client.api_release.create_or_update(*AT, "cranes", "second", release)
        self.assertIsNotNone(made.created_date_time)
        current = self.apis.get(*AT, "cranes")
        self.assertEqual((current.api_revision, current.service_url), ("2", "https://two.localhost"))
        noted = models.ApiReleaseContract(notes="Second, at last")
        changed = self.client.api_release.update(*AT, "cranes", "second", "*", noted)
        self.assertEqual(changed.notes, "Second, at last")
        listed = self.client.api_release.list_by_service(*AT, "cranes")
        self.assertEqual([one.name for one in listed], ["second"])
        self.client.api_release.delete(*AT, "cranes", "second", "*")

    def make_revision(self, api, number, **fields):
        body = models.ApiCreateOrUpdateParameter(
            source_api_id=api.id, path=api.path, api_revision_description="tests", **fields
        )
        return self.apis.begin_create_or_update(*AT, f"{api.name};rev={number}", body).result()

    def test_operations_are_created_read_changed_and_deleted(self):
        self.make("berths")
        operations = self.client.api_operation
        for at in range(4):
            body = models.OperationContract(
                display_name=f"Berth {at}", method="GET", url_template=f"/berths/{at}/{{id}}",
                template_parameters=[models.ParameterContract(name="id", type="string", required=True)],
            )
            made = operations.create_or_update(*AT, "berths", f"berth-{at}", body)
        self.assertEqual(made.template_parameters[0].name, "id")
        self.assertTrue(operations.get_entity_tag(*AT, "berths", "berth-1"))
        change = models.OperationUpdateContract(description="The second")
        self.assertEqual(operations.update(*AT, "berths", "berth-1", "*", change).description, "The second")
        self.assertEqual(len(list(operations.list_by_api(*AT, "berths"))), 4)
        operations.delete(*AT, "berths", "berth-1", "*")
        self.assert_gone(operations.get, *AT, "berths", "berth-1")

    def test_resolvers_of_a_graphql_api(self):
        made = self.make("ships", api_type="graphql")
        self.assertEqual(made.api_type, "graphql")
        schema = models.SchemaContract(
            content_type="application/vnd.ms-azure-apim.graphql.schema", value="type Query { ship: String }"
        )
        kept = self.client.api_schema.begin_create_or_update(*AT, "ships", "graphql", schema).result()
        self.assertIn("type Query", kept.value)
        resolvers = self.client.graph_ql_api_resolver
        body = models.ResolverContract(display_name="ship", path="Query/ship")
        made = resolvers.create_or_update(*AT, "ships", "ship", body)
        self.assertEqual(made.path, "Query/ship")
        change = models.ResolverUpdateContract(description="By name")
        self.assertEqual(resolvers.update(*AT, "ships", "ship", "*", change).description, "By name")
        self.assertTrue(resolvers.get_entity_tag(*AT, "ships", "ship"))
        self.assertEqual([one.name for one in resolvers.list_by_api(*AT, "ships")], ["ship"])
        resolvers.delete(*AT, "ships", "ship", "*")
        self.assert_gone(resolvers.get, *AT, "ships", "ship")

    def test_versions_share_a_path_within_a_set(self):
        sets = self.client.api_version_set
        body = models.ApiVersionSetContract(display_name="Pilots", versioning_scheme="Segment")
        made = sets.create_or_update(*AT, "pilots", body)
        self.addCleanup(sets.delete, *AT, "pilots", "*")
        for version in ("v1", "v2"):
            self.make(f"pilots-{version}", path="pilots", api_version=version, api_version_set_id=made.id)
        expanded = self.apis.list_by_service(*AT, filter="path eq 'pilots'", expand_api_version_set=True)
        shown = [(one.api_version, one.api_version_set.name) for one in expanded]
        self.assertEqual(shown, [("v1", "Pilots"), ("v2", "Pilots")])

    def test_diagnostics_of_an_api(self):
        self.make("buoys")
        logger = models.LoggerContract(
            logger_type="applicationInsights", credentials={"instrumentationKey": "Foghorn-Key-7"}
        )
        made = self.client.logger.create_or_update(*AT, "insights", logger)
        self.addCleanup(self.client.logger.delete, *AT, "insights", "*")
        body = models.DiagnosticContract(logger_id=made.id, always_log="allErrors")
        kept = self.client.api_diagnostic.create_or_update(*AT, "buoys", "applicationinsights", body)
        self.assertEqual(kept.always_log, "allErrors")
        listed = self.client.api_diagnostic.list_by_service(*AT, "buoys")
        self.assertEqual([one.name for one in listed], ["applicationinsights"])
        self.client.api_diagnostic.delete(*AT, "buoys", "applicationinsights", "*")
