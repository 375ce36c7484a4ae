"""Tokens: secret, certificate, managed identity, and what is refused."""

import os
import tempfile

from azure.core.exceptions import ClientAuthenticationError
from azure.identity import (
    CertificateCredential,
    DefaultAzureCredential,
    EnvironmentCredential,
    ManagedIdentityCredential,
    WorkloadIdentityCredential,
)
from azure.mgmt.msi.v2024_11_30 import models
from stage import GROUP, READER, SERVICE
from support import SCOPE, Checks, apim, control, credential, identities

BUILD_AGENT = "5c1e0f00-0000-4000-8000-0000000000c4"


class Login(Checks):
    def identity_environment(self):
        os.environ.update(control("GET", "/_emulator/identity"))
        for name in ("IDENTITY_ENDPOINT", "IDENTITY_HEADER"):
            self.addCleanup(os.environ.pop, name)

    def test_a_secret_gives_a_token_and_the_token_reads(self):
        names = [one.name for one in apim().api_management_service.list()]
        self.assertEqual(names, ["harbour"])

    def test_the_environment_is_enough(self):
        token = EnvironmentCredential(disable_instance_discovery=True).get_token(SCOPE)
        self.assertGreater(len(token.token), 100)

    def test_a_wrong_secret_is_refused_with_entras_number(self):
        with self.assertRaisesRegex(ClientAuthenticationError, "AADSTS7000215"):
            credential(secret="not-the-Secret").get_token(SCOPE)

    def test_an_unknown_application_is_refused(self):
        with self.assertRaisesRegex(ClientAuthenticationError, "AADSTS700016"):
            credential(client="5c1e0f00-0000-4000-8000-0000000000ff").get_token(SCOPE)

    def test_a_certificate_signs_an_assertion(self):
        signer = CertificateCredential(
            os.environ["AZURE_TENANT_ID"],
            "5c1e0f00-0000-4000-8000-0000000000c3",
            os.environ["EMULATOR_SIGNER"],
            authority=os.environ["EMULATOR_AUTHORITY"],
            disable_instance_discovery=True,
        )
        self.assertEqual(len(list(apim(with_credential=signer).api_management_service.list())), 1)

    def test_the_host_has_a_managed_identity(self):
        self.identity_environment()
        reader = apim(with_credential=ManagedIdentityCredential())
        self.assertEqual(len(list(reader.api_management_service.list())), 1)
        named = ManagedIdentityCredential(client_id=BUILD_AGENT)
        self.assertTrue(named.get_token(SCOPE).token)
        stranger = ManagedIdentityCredential(client_id="5c1e0f00-0000-4000-8000-0000000000ff")
        with self.assertRaises(ClientAuthenticationError):
            stranger.get_token(SCOPE)

    def test_the_default_chain_finds_the_managed_identity(self):
        self.identity_environment()
        # The chain takes AZURE_CLIENT_ID for that of a user-assigned identity.
        os.environ["AZURE_CLIENT_ID"], kept = BUILD_AGENT, os.environ["AZURE_CLIENT_ID"]
        self.addCleanup(os.environ.update, AZURE_CLIENT_ID=kept)
        chain = DefaultAzureCredential(exclude_environment_credential=True)
        self.assertTrue(chain.get_token(SCOPE).token)

    def test_a_workload_logs_in_as_an_identity_that_trusts_its_issuer(self):
        client = identities()
        own = client.user_assigned_identities.get(GROUP, "harbour-calls")
        body = models.FederatedIdentityCredential(
            issuer="https://issuer.localhost", subject="repo:harbour", audiences=["api://AzureADTokenExchange"]
        )
        federated = client.federated_identity_credentials
        federated.create_or_update(GROUP, "harbour-calls", "workload", body)
        self.addCleanup(federated.delete, GROUP, "harbour-calls", "workload")
        self.assertTrue(self.workload(own.client_id, "repo:harbour").get_token(SCOPE).token)
        with self.assertRaisesRegex(ClientAuthenticationError, "AADSTS700213"):
            self.workload(own.client_id, "repo:elsewhere").get_token(SCOPE)

    def workload(self, client_id, subject):
        issued = control("POST", "/_emulator/assertion", {"issuer": "https://issuer.localhost", "subject": subject})
        handle, path = tempfile.mkstemp()
        self.addCleanup(os.remove, path)
        with os.fdopen(handle, "w") as file:
            file.write(issued["token"])
        return WorkloadIdentityCredential(
            tenant_id=os.environ["AZURE_TENANT_ID"],
            client_id=client_id,
            token_file_path=path,
            authority=os.environ["EMULATOR_AUTHORITY"],
            disable_instance_discovery=True,
        )

    def test_a_reader_may_not_write_or_see_secrets(self):
        reader = apim(with_credential=credential(READER, "reader-Secret-1"))
        refused = self.assert_refused(
            403,
            "AuthorizationFailed",
            reader.named_value.list_value,
            GROUP,
            SERVICE,
            "anything",
        )
        self.assertIn("listValue/action", refused.message)
