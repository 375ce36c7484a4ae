"""The clients under test, as a program would make them for a cloud of its own."""

import json
import os
import unittest
import urllib.request

from azure.core.exceptions import HttpResponseError
from azure.identity import ClientSecretCredential
from azure.mgmt.apimanagement import ApiManagementClient
from azure.mgmt.authorization import AuthorizationManagementClient
from azure.mgmt.msi import ManagedServiceIdentityClient
from azure.mgmt.sql import SqlManagementClient
from stage import SUBSCRIPTION

SCOPE = "https://management.azure.com/.default"


def credential(client=None, secret=None):
    # A private cloud is not in Entra's own list of instances, so that list is not asked.
    return ClientSecretCredential(
        os.environ["AZURE_TENANT_ID"],
        client or os.environ["AZURE_CLIENT_ID"],
        secret or os.environ["AZURE_CLIENT_SECRET"],
        authority=os.environ["EMULATOR_AUTHORITY"],
        disable_instance_discovery=True,
    )


def client(kind, with_credential=None, **options):
    return kind(
        with_credential or credential(),
        SUBSCRIPTION,
        base_url=os.environ["EMULATOR_ARM"],
        credential_scopes=[SCOPE],
        polling_interval=0,
        **options,
    )


def apim(**options):
    return client(ApiManagementClient, **options)


def sql(**options):
    return client(SqlManagementClient, **options)


def roles(**options):
    return client(AuthorizationManagementClient, **options)


def identities(**options):
    return client(ManagedServiceIdentityClient, **options)


def control(verb, path, body=None):
    data = None if body is None else json.dumps(body).encode()
    url = os.environ["EMULATOR_CONTROL"] + path
    request = urllib.request.Request(url, data=data, method=verb)
    with urllib.request.urlopen(request) as answer:
        text = answer.read()
    return json.loads(text) if text else None


class Checks(unittest.TestCase):
    def assert_refused(self, status, code, call, *arguments, **named):
        """The call fails with this status, and the error carries the service's own code."""
        with self.assertRaises(HttpResponseError) as caught:
            call(*arguments, **named)
        error = caught.exception
        self.assertEqual(error.status_code, status, error.message)
        self.assertIsNotNone(error.error, "the body is not an error envelope")
        self.assertEqual(error.error.code, code)
        return error

    def assert_gone(self, call, *arguments):
        self.assert_refused(404, "ResourceNotFound", call, *arguments)


def seen(call, *arguments, **named):
    """What a call gives, with the raw response: `(result, response)`."""
    kept = []

    def keep(response, result, _):
        kept.append(response.http_response)
        return result

    return call(*arguments, cls=keep, **named), kept[0]
