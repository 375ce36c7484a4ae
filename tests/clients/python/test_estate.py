"""Backends, loggers, products, subscriptions, gateways and the smaller entities."""

from azure.mgmt.apimanagement import models
from stage import GROUP, SERVICE, SERVICE_ID
from support import Checks, apim, seen

AT = (GROUP, SERVICE)


class Estate(Checks):
    def setUp(self):
        self.client = apim()

    def make_api(self, name):
        api = models.ApiCreateOrUpdateParameter(display_name=name, path=name, protocols=["https"])
        self.client.api.begin_create_or_update(*AT, name, api).result()
        self.addCleanup(lambda: self.client.api.begin_delete(*AT, name, "*").result())

    def test_a_backend_shows_its_credentials_in_clear(self):
        backends = self.client.backend
        credentials = models.BackendCredentialsContract(
            header={"x-functions-key": ["Plain-Key-5"]},
            query={"code": ["Plain-Code-6"]},
            authorization=models.BackendAuthorizationHeaderCredentials(scheme="Basic", parameter="dTpw"),
        )
        body = models.BackendContract(
            url="https://tides.localhost", protocol="http", credentials=credentials,
            tls=models.BackendTlsProperties(validate_certificate_chain=True),
        )
        made, answer = seen(backends.create_or_update, *AT, "tides", body)
        self.assertEqual(answer.status_code, 201)
        self.assertEqual(made.credentials.header, {"x-functions-key": ["Plain-Key-5"]})
        listed = {one.name: one for one in backends.list_by_service(*AT)}
        self.assertEqual(listed["tides"].credentials.query, {"code": ["Plain-Code-6"]})
        self.assertTrue(backends.get_entity_tag(*AT, "tides"))
        change = models.BackendUpdateParameters(description="Tide tables")
        changed = backends.update(*AT, "tides", "*", change)
        self.assertEqual((changed.description, changed.url), ("Tide tables", "https://tides.localhost"))
        stale = '"AAA="'
        self.assert_refused(412, "PreconditionFailed", backends.update, *AT, "tides", stale, change)
        backends.delete(*AT, "tides", "*")
        self.assert_gone(backends.get, *AT, "tides")

    def test_a_pool_names_backends_that_exist(self):
        backends = self.client.backend
        for name in ("pier-1", "pier-2"):
            body = models.BackendContract(url=f"https://{name}.localhost", protocol="http")
            backends.create_or_update(*AT, name, body)
        pool = models.BackendContract(
            type_properties_type="Pool",
            pool=models.BackendBaseParametersPool(
                services=[
                    models.BackendPoolItem(id=f"{SERVICE_ID}/backends/{name}", weight=1, priority=1)
                    for name in ("pier-1", "pier-2")
                ]
            ),
        )
        made = backends.create_or_update(*AT, "piers", pool)
        self.assertEqual((made.type_properties_type, len(made.pool.services)), ("Pool", 2))
        self.assert_refused(400, "ValidationError", backends.delete, *AT, "pier-1", "*")
        for name in ("piers", "pier-1", "pier-2"):
            backends.delete(*AT, name, "*")

    def test_a_loggers_credential_becomes_a_named_value(self):
        loggers = self.client.logger
        body = models.LoggerContract(
            logger_type="azureEventHub",
            credentials={"name": "hub", "connectionString": "Endpoint=sb://e.localhost/;SharedAccessKey=Fog-7"},
        )
        made = loggers.create_or_update(*AT, "events", body)
        self.assertRegex(made.credentials["connectionString"], r"^\{\{Logger-Credentials--")
        change = models.LoggerUpdateContract(description="Hub")
        self.assertEqual(loggers.update(*AT, "events", "*", change).description, "Hub")
        self.assertTrue(loggers.get_entity_tag(*AT, "events"))
        self.assertEqual([one.name for one in loggers.list_by_service(*AT)], ["events"])
        loggers.delete(*AT, "events", "*")
        self.assert_gone(loggers.get, *AT, "events")

    def test_a_product_holds_apis_and_groups(self):
        self.make_api("lights")
        products = self.client.product
        body = models.ProductContract(
            display_name="Lights", state="published", subscription_required=True, approval_required=False
        )
        made = products.create_or_update(*AT, "lights", body)
        self.addCleanup(products.delete, *AT, "lights", "*", delete_subscriptions=True)
        self.assertEqual((made.state, made.subscription_required), ("published", True))
        change = models.ProductUpdateParameters(description="All of them")
        self.assertEqual(products.update(*AT, "lights", "*", change).description, "All of them")
        self.assertTrue(products.get_entity_tag(*AT, "lights"))
        self.assertIn("lights", [one.name for one in products.list_by_service(*AT)])
        links = self.client.product_api
        links.create_or_update(*AT, "lights", "lights")
        self.assertTrue(links.check_entity_exists(*AT, "lights", "lights"))
        self.assertEqual([one.name for one in links.list_by_product(*AT, "lights")], ["lights"])
        held = self.client.api_product.list_by_apis(*AT, "lights")
        self.assertEqual([one.name for one in held], ["lights"])
        links.delete(*AT, "lights", "lights")
        self.assertEqual(list(links.list_by_product(*AT, "lights")), [])
        self.product_groups()

    def product_groups(self):
        groups = self.client.group
        made = groups.create_or_update(*AT, "pilots", models.GroupCreateParameters(display_name="Pilots"))
        self.addCleanup(groups.delete, *AT, "pilots", "*")
        self.assertEqual(made.display_name, "Pilots")
        links = self.client.product_group
        links.create_or_update(*AT, "lights", "pilots")
        self.assertIn("pilots", [one.name for one in links.list_by_product(*AT, "lights")])
        links.delete(*AT, "lights", "pilots")

    def test_links_of_the_newer_form(self):
        self.make_api("locks")
        products = self.client.product
        products.create_or_update(*AT, "locks", models.ProductContract(display_name="Locks"))
        self.addCleanup(products.delete, *AT, "locks", "*")
        links = self.client.product_api_link
        body = models.ProductApiLinkContract(api_id=f"{SERVICE_ID}/apis/locks")
        made = links.create_or_update(*AT, "locks", "link-1", body)
        self.assertEqual(made.api_id, f"{SERVICE_ID}/apis/locks")
        self.assertEqual([one.name for one in links.list_by_product(*AT, "locks")], ["link-1"])
        self.assertEqual(len(list(self.client.product_api.list_by_product(*AT, "locks"))), 1)
        links.delete(*AT, "locks", "link-1")
        self.assertEqual(len(list(self.client.product_api.list_by_product(*AT, "locks"))), 0)

    def test_a_subscription_tells_its_keys_only_when_asked(self):
        self.make_api("ferries")
        subscriptions = self.client.subscription
        body = models.SubscriptionCreateParameters(
            scope=f"{SERVICE_ID}/apis/ferries", display_name="Ferries", primary_key="Ferry-Key-1"
        )
        made = subscriptions.create_or_update(*AT, "ferries", body)
        self.assertIsNone(made.primary_key)
        self.assertEqual(made.state, "active")
        keys = subscriptions.list_secrets(*AT, "ferries")
        self.assertEqual(keys.primary_key, "Ferry-Key-1")
        subscriptions.regenerate_primary_key(*AT, "ferries")
        self.assertNotEqual(subscriptions.list_secrets(*AT, "ferries").primary_key, "Ferry-Key-1")
        change = models.SubscriptionUpdateParameters(state="suspended")
        self.assertEqual(subscriptions.update(*AT, "ferries", "*", change).state, "suspended")
        self.assertIn("ferries", [one.name for one in subscriptions.list(*AT)])
        subscriptions.delete(*AT, "ferries", "*")
        self.assert_gone(subscriptions.get, *AT, "ferries")

    def test_a_self_hosted_gateway_serves_apis(self):
        self.make_api("pilotage")
        gateways = self.client.gateway
        body = models.GatewayContract(location_data=models.ResourceLocationDataContract(name="Pier 4"))
        made = gateways.create_or_update(*AT, "pier", body)
        self.addCleanup(gateways.delete, *AT, "pier", "*")
        self.assertEqual(made.location_data.name, "Pier 4")
        self.assertTrue(gateways.get_entity_tag(*AT, "pier"))
        change = models.GatewayContract(description="At the pier")
        self.assertEqual(gateways.update(*AT, "pier", "*", change).description, "At the pier")
        self.assertEqual([one.name for one in gateways.list_by_service(*AT)], ["pier"])
        served = self.client.gateway_api
        served.create_or_update(*AT, "pier", "pilotage")
        self.assertEqual([one.name for one in served.list_by_service(*AT, "pier")], ["pilotage"])
        served.delete(*AT, "pier", "pilotage")
        keys = gateways.list_keys(*AT, "pier")
        self.assertTrue(keys.primary and keys.secondary)

    def test_the_smaller_entities_are_kept_as_sent(self):
        client = self.client
        tag = client.tag.create_or_update(*AT, "north", models.TagCreateUpdateParameters(display_name="North"))
        self.assertEqual(tag.display_name, "North")
        self.assertIn("north", [one.name for one in client.tag.list_by_service(*AT)])
        client.tag.delete(*AT, "north", "*")
        server = models.AuthorizationServerContract(
            display_name="Port", client_id="port", grant_types=["clientCredentials"],
            authorization_endpoint="https://a.localhost/authorize", token_endpoint="https://a.localhost/token",
            client_registration_endpoint="https://a.localhost", client_secret="Port-Secret-3",
            authorization_methods=["GET"],
        )
        made = client.authorization_server.create_or_update(*AT, "port", server)
        self.assertIsNone(made.client_secret)
        secrets = client.authorization_server.list_secrets(*AT, "port")
        self.assertEqual(secrets.client_secret, "Port-Secret-3")
        client.authorization_server.delete(*AT, "port", "*")
