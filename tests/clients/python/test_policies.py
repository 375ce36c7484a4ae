"""Policies at each scope in both formats, and fragments."""

from azure.core.exceptions import ResourceNotFoundError
from azure.mgmt.apimanagement import models
from stage import GROUP, SERVICE
from support import Checks, apim, seen

AT = (GROUP, SERVICE)
RAW = '<policies><inbound><base /><set-header name="x" exists-action="override"><value>@(context.Request.Headers.GetValueOrDefault("a","b"))</value></set-header></inbound><backend><base /></backend><outbound><base /></outbound><on-error><base /></on-error></policies>'
ENCODED = RAW.replace('("a","b")', "(&quot;a&quot;,&quot;b&quot;)")


def policy(text, form="rawxml"):
    return models.PolicyContract(value=text, format=form)


class Policies(Checks):
    @classmethod
    def setUpClass(cls):
        cls.client = client = apim()
        for name, kind in (("moorings", None), ("moorings-graph", "graphql")):
            api = models.ApiCreateOrUpdateParameter(
                display_name=name, path=name, protocols=["https"], api_type=kind
            )
            client.api.begin_create_or_update(*AT, name, api).result()
        operation = models.OperationContract(display_name="One", method="GET", url_template="/one")
        client.api_operation.create_or_update(*AT, "moorings", "one", operation)
        resolver = models.ResolverContract(display_name="one", path="Query/one")
        client.graph_ql_api_resolver.create_or_update(*AT, "moorings-graph", "one", resolver)
        product = models.ProductContract(display_name="Moorings", state="published")
        client.product.create_or_update(*AT, "moorings", product)

    @classmethod
    def tearDownClass(cls):
        for name in ("moorings", "moorings-graph"):
            cls.client.api.begin_delete(*AT, name, "*").result()
        cls.client.product.delete(*AT, "moorings", "*")

    def test_each_scope_takes_a_policy_in_both_formats(self):
        client = self.client
        scopes = [
            (client.api_policy, ("moorings",)),
            (client.api_operation_policy, ("moorings", "one")),
            (client.product_policy, ("moorings",)),
        ]
        for operations, where in scopes:
            with self.subTest(type(operations).__name__):
                self.one_scope(operations, where)

    def one_scope(self, operations, where):
        made, answer = seen(operations.create_or_update, *AT, *where, "policy", policy(ENCODED, "xml"))
        self.assertEqual(answer.status_code, 201)
        self.assertEqual((made.name, made.format), ("policy", "xml"))
        raw = operations.get(*AT, *where, "policy", format="rawxml")
        self.assertEqual(raw.format, "rawxml")
        self.assertIn('GetValueOrDefault("a","b")', raw.value)
        again, answer = seen(operations.create_or_update, *AT, *where, "policy", policy(RAW))
        self.assertEqual(answer.status_code, 200)
        self.assertIn("&quot;a&quot;", operations.get(*AT, *where, "policy").value)
        self.assertTrue(operations.get_entity_tag(*AT, *where, "policy"))
        self.assert_refused(
            412, "PreconditionFailed", operations.create_or_update, *AT, *where, "policy",
            policy(RAW), if_match='"AAA="',
        )
        operations.delete(*AT, *where, "policy", "*")
        self.assert_gone(operations.get, *AT, *where, "policy")
        with self.assertRaises(ResourceNotFoundError):
            operations.get_entity_tag(*AT, *where, "policy")

    def test_the_service_has_a_policy(self):
        policies = self.client.policy
        kept = policies.get(*AT, "policy", format="rawxml").value
        self.addCleanup(policies.create_or_update, *AT, "policy", policy(kept))
        self.assertIn("<policies>", kept)
        changed = policies.create_or_update(*AT, "policy", policy(RAW.replace("<base />", "")))
        self.assertIn("set-header", changed.value)
        self.assertEqual([one.name for one in policies.list_by_service(*AT)], ["policy"])

    def test_lists_of_policies_have_one_or_none(self):
        policies = self.client.api_policy
        self.assertEqual(policies.list_by_api(*AT, "moorings").value, [])
        policies.create_or_update(*AT, "moorings", "policy", policy(RAW))
        self.addCleanup(policies.delete, *AT, "moorings", "policy", "*")
        listed = policies.list_by_api(*AT, "moorings")
        self.assertEqual((listed.count, listed.value[0].name), (1, "policy"))
        everywhere = [one.reference_policy_id for one in self.client.all_policies.list_by_service(*AT)]
        self.assertTrue(any(one.endswith("/apis/moorings/policies/policy") for one in everywhere))

    def test_a_resolver_has_a_data_source(self):
        text = "<http-data-source><http-request><set-method>GET</set-method><set-url>https://one.localhost</set-url></http-request></http-data-source>"
        policies = self.client.graph_ql_api_resolver_policy
        where = ("moorings-graph", "one", "policy")
        made = policies.create_or_update(*AT, *where, policy(text))
        self.assertIn("http-data-source", made.value)
        self.assertEqual(len(list(policies.list_by_resolver(*AT, *where[:2]))), 1)
        self.assertTrue(policies.get_entity_tag(*AT, *where))
        policies.delete(*AT, *where, "*")
        self.assert_gone(policies.get, *AT, *where)

    def test_a_policy_that_names_nothing_real_is_refused_with_its_place(self):
        missing = RAW.replace("<base />", '<include-fragment fragment-id="nowhere" />', 1)
        refused = self.assert_refused(
            400, "ValidationError", self.client.api_policy.create_or_update, *AT, "moorings",
            "policy", policy(missing),
        )
        detail = refused.error.details[0]
        self.assertEqual(detail.target, "include-fragment")
        self.assertRegex(detail.message, r"line \d+, column \d+")

    def test_a_policy_from_a_link_is_named_as_unsupported(self):
        refused = self.assert_refused(
            400, "ValidationError", self.client.api_policy.create_or_update, *AT, "moorings",
            "policy", policy("https://example.org/policy.xml", "xml-link"),
        )
        self.assertIn("xml-link", str(refused))

    def test_fragments_and_who_uses_them(self):
        fragments = self.client.policy_fragment
        body = models.PolicyFragmentContract(
            value="<fragment><set-status code=\"204\" /></fragment>", format="rawxml", description="Quiet"
        )
        made = fragments.begin_create_or_update(*AT, "quiet", body).result()
        self.assertEqual((made.name, made.description), ("quiet", "Quiet"))
        self.assertTrue(fragments.get_entity_tag(*AT, "quiet"))
        self.assertIn("set-status", fragments.get(*AT, "quiet", format="rawxml").value)
        self.assertIn("quiet", [one.name for one in fragments.list_by_service(*AT)])
        using = RAW.replace("<base />", '<include-fragment fragment-id="quiet" />', 1)
        self.client.api_policy.create_or_update(*AT, "moorings", "policy", policy(using))
        references = fragments.list_references(*AT, "quiet")
        self.assertEqual(len(references.value), 1)
        self.assert_refused(400, "ValidationError", fragments.delete, *AT, "quiet", "*")
        self.client.api_policy.delete(*AT, "moorings", "policy", "*")
        fragments.delete(*AT, "quiet", "*")
        self.assert_gone(fragments.get, *AT, "quiet")
