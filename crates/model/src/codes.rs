//! The codes of every diagnostic, error and scan rule: permanent, and described by
//! `keyless explain`.

/// One code and what there is to know about it.
#[derive(Clone, Copy, Debug)]
pub struct Code {
    pub code: &'static str,
    pub title: &'static str,
    /// What it means and what to do.
    pub about: &'static str,
}

/// All codes, in order.
pub const CODES: &[Code] = &[
    code(
        "KL0101",
        "malformed YAML",
        "The file is not YAML 1.2 as manifests use it, so nothing in it was read. Anchors, \
         aliases, tags, a key that stands twice and more than 32 levels are refused as well: each \
         of them makes a text that reads otherwise than it looks. Mend it at the place that the \
         message shows; text that looks like a number or a boolean stands in quotes (`value: \
         \"1\"`).",
    ),
    code(
        "KL0102",
        "unknown apiVersion or kind",
        "keyless does not know what this document is, so it cannot check it. A document starts \
         with `apiVersion` and one of the kinds that docs/reference.md lists; a file of \
         `environments/` holds one mapping and no documents. Example:\n  \
         apiVersion: keyless.dev/v1alpha1\n  \
         kind: Gateway\n  \
         metadata: { name: contoso }\n  \
         spec: { id: /subscriptions/… }",
    ),
    code(
        "KL0103",
        "unknown field",
        "The field is not one of this kind. It is an error and not a warning, because a field \
         with a slip in its name would be taken for one that you left out, and left out means \
         unmanaged. Correct the name; `keyless schema` prints what each kind may hold, for an \
         editor too.",
    ),
    code(
        "KL0104",
        "wrong type or value",
        "The value does not fit the field: another type, a word that is not in the list, a number \
         or a duration out of range, or an argument of this sort on the command line. The message \
         says what is expected. A duration is a whole number and one of s, m, h and d (`7d`); a \
         resource id starts with /subscriptions/.",
    ),
    code(
        "KL0105",
        "missing field",
        "A field that the document needs is not there, often one that another field asks for: \
         `canary: revision` needs a `request`, an Access to a database needs a `role`. keyless \
         takes no guess in its place. Add the field that the message names.",
    ),
    code(
        "KL0106",
        "duplicate name",
        "Two documents of one kind have the same `metadata.name`, two describe the same thing in \
         Azure, or a list names one thing twice. keyless could not say which of them is meant. \
         Take one out; where Azure's own name is the same in two gateways, give the documents \
         different names and write it as `spec.name`.",
    ),
    code(
        "KL0107",
        "dangling reference",
        "The document refers to another by its `metadata.name`, and no file declares that one. \
         Without it keyless does not know which service is meant. Correct the name, or add the \
         document; with `keyless validate FILE` name every file that belongs together.",
    ),
    code(
        "KL0108",
        "not in this version",
        "keyless knows the field or the kind and cannot carry it out in this version. It refuses \
         it instead of passing over it, so that a manifest never promises more than is done. Take \
         it out; the README lists the limits of this version.",
    ),
    code(
        "KL0109",
        "bad name",
        "The name could not stand in a path of Azure, an address or a statement, or it is one \
         that does not belong there, such as a revision in `from.apis`. Names of documents have \
         a-z, 0-9 and “-”, at most 63 of them, and start with a letter or digit. Azure's own \
         name, which may have other characters, goes into `spec.name`.",
    ),
    code(
        "KL0110",
        "a credential in a manifest",
        "A literal in a manifest, an environment or a policy file looks like a credential. \
         Manifests are read by many and kept for ever in git, so it is refused, and the message \
         does not repeat it. Use `valueFrom: { env: NAME }` or a Key Vault reference, or let an \
         Access replace it; and rotate the credential if it has been committed.",
    ),
    code(
        "KL0111",
        "policy file",
        "The policy file is missing, leads out of the project, is malformed, or has another root \
         than its place asks for (`<policies>` for a policy, `<fragment>` for a fragment). API \
         Management would refuse such a document in the middle of an apply. The path is relative \
         to the manifest that names it; mend the place that the message shows.",
    ),
    code(
        "KL0112",
        "too large",
        "The file is over its limit and was not read: 4 MiB for a manifest, 512 KiB for a policy. \
         Split a manifest into several files of `manifests/`; move parts of a policy into policy \
         fragments.",
    ),
    code(
        "KL0113",
        "contradiction",
        "Two fields or two documents cannot both hold: one credential that two Accesses with \
         different targets replace, two Accesses that ask for different tokens for the same \
         calls, an identity that the gateway does not have. keyless does not choose between them. \
         The message names both places; change one of them.",
    ),
    code(
        "KL0114",
        "no manifests",
        "No document was found where keyless looked: the folder `manifests/` of the project, or \
         the paths that were named. The project is the folder in which the command runs, or \
         `--project DIR`. `keyless init --gateway ID --server ID` writes first ones for what is \
         there, `keyless scan` with the same flags needs none, and `keyless demo` shows the whole \
         job.",
    ),
    code(
        "KL0115",
        "a cycle",
        "Documents refer to one another in a circle, such as two roles that are members of each \
         other, or a server that is its own partner. There is no order in which they could be \
         made. Take one reference out.",
    ),
    code(
        "KL0116",
        "a variable",
        "A variable is not set by the environment, is set and used by no manifest, stands in a \
         key or in a policy file, or is used while no environment is chosen; or the environment \
         does not exist. Each of these would give one environment other manifests than you think. \
         Set variables in `environments/NAME.yaml`, choose with `--env NAME`, and see with \
         `keyless render --env NAME` which file sets what. Example:\n  \
         environments/prod.yaml:  soak: 30d\n  \
         manifests/access.yaml:   retire: { after: \"${{ var.soak }}\" }",
    ),
    code(
        "KL0201",
        "no credential",
        "No way to log in to Entra was found, or the one that was chosen gave no token. The first \
         that is set is used: AZURE_CLIENT_SECRET, AZURE_CLIENT_CERTIFICATE_PATH, a managed \
         identity (IDENTITY_ENDPOINT, KEYLESS_USE_IMDS=1), the Azure CLI; one that is begun and \
         incomplete is an error. On your own machine run `az login`. With a file of endpoints \
         (--cloud FILE) the Azure CLI is not used.",
    ),
    code(
        "KL0202",
        "Azure refused",
        "Azure Resource Manager answered a request with an error; its code and message are shown. \
         A 403 means that the identity which runs keyless lacks the action that the message \
         names: the README has the rights for each command, and a new assignment takes minutes to \
         work. Other errors are about the thing itself; correct what they name and run again.",
    ),
    code(
        "KL0203",
        "Azure cannot be reached",
        "The endpoint did not answer, its certificate is not trusted, or it answered otherwise \
         than Azure does. Nothing is known about what was not answered, so keyless stops. Check \
         the network, the proxy (HTTPS_PROXY, NO_PROXY) and the --cloud file; `--verbose` tells \
         each request and how it ended.",
    ),
    code(
        "KL0204",
        "the database refused",
        "The database was reached and refused the login or the statement; its error number is \
         shown. 18456 for a token means that the identity has no user there with its SID, or that \
         the server has no Entra administrator yet. Make the identity a member of the Entra \
         administrator group, or give it a user: a SqlUser document with its `clientId`.",
    ),
    code(
        "KL0205",
        "the database cannot be reached",
        "The server did not answer on port 1433, or the connection broke. A firewall rule, a \
         private endpoint or a name that does not resolve there are the usual reasons. Run \
         keyless where the database can be reached, or let its address in with a FirewallRule \
         document.",
    ),
    code(
        "KL0206",
        "the clouds file",
        "What `--cloud` or KEYLESS_CLOUD names is neither public, government nor china, nor a \
         file of endpoints that keyless can use. Tokens go only to the hosts of the cloud, so it \
         is not guessed. The message names the field; docs/formats.md lists all of them. A CA that \
         `keyless emulator` wrote is new at each start: start it again, and use its new files.",
    ),
    code(
        "KL0301",
        "the plan file",
        "The file is not a plan that this version can carry out: it was cut short, edited after \
         keyless wrote it, written by another version, or it cannot be read or written at all. An \
         edited plan could do other things than were reviewed. Make it again with `keyless plan \
         -o plan.json`, and change manifests instead of plans.",
    ),
    code(
        "KL0302",
        "the plan is stale",
        "What is live is neither as the step expects nor as it would leave it: somebody changed \
         it after the plan was made, changed a finished step back, or another plan was applied in \
         between. keyless never writes over a change that it did not see. Find out who else \
         writes there, then run `keyless plan -o plan.json` again and look at what it shows.",
    ),
    code(
        "KL0303",
        "another tenant",
        "The plan was made for another Entra tenant than the one that you are logged in to, or \
         under another fingerprint key. With another key apply could not tell whether live is as \
         the plan expects. Log in to the tenant that the message names; for the key, run apply \
         where the plan was made, share `.keyless/key` by a safe way, or plan again.",
    ),
    code(
        "KL0304",
        "irreversible steps",
        "The step cannot be undone: it deletes or drops something of which no copy is kept, or \
         removes a key that could not be parked. So it waits until somebody says so. Read its \
         reason with `keyless plan --show plan.json`, then run `keyless apply plan.json \
         --allow-irreversible`, or have somebody approve it with `keyless approve`.",
    ),
    code(
        "KL0305",
        "a step failed",
        "A step failed, or it is not known whether it was carried out. What depends on it was not \
         started; other branches went on. The row has the service's reason and what to do next; \
         then run the same `keyless apply` again, which first reads what is live and goes on from \
         there.",
    ),
    code(
        "KL0306",
        "the state",
        "The state or the journal cannot be read or written, is damaged, or belongs to another \
         run that is still at work; or the fingerprint key is lost. Live Azure is the truth, so \
         nothing there is in danger. Wait for the other run; else `keyless state rebuild` makes \
         the state again from the journal, and the message says what to put back when that does \
         not help.",
    ),
    code(
        "KL0307",
        "approval",
        "The gate that was named does not wait for a person, or not yet: a soak asks only when \
         its time is over, and a gate behind others only when those are open. Or nobody can be \
         asked: there is no terminal, or `--by` is missing. `keyless approve plan.json` lists the \
         gates that ask now or may ask later, with who approved which; `--all` opens those that \
         ask now.",
    ),
    code(
        "KL0308",
        "nothing at the target",
        "`--target` names an address at or inside which the plan has neither a step nor a held-up \
         row, and no manifest has a document. Most often the address has a slip in it; with \
         `--show` what is in order already is not known either. The message names the nearest \
         ones, and `keyless plan` lists all. Examples:\n  \
         --target apim:contoso/access:orders-read      an Access\n  \
         --target apim:contoso/api:orders              all that the plan does to an API\n  \
         --target sql:orders-sql/db:orders             all that it does in a database",
    ),
    code(
        "KL0309",
        "an argument that cannot be used",
        "A file or folder cannot be read or written, is there already and is not written over, a \
         port is taken, or a value does not fit the command, such as `--format sarif` for anything \
         but `scan`. Nothing was sent to Azure. The message says which; `keyless COMMAND --help` \
         starts with examples.",
    ),
    code(
        "KL0310",
        "a run that cannot be taken back",
        "`keyless rollback` takes back what one run did, as the journal tells. No run has this id, \
         it took another one back itself, or a later run came after it and may stand on what it \
         did: take that one back first. Without an argument the command lists the runs and what of \
         each stands.",
    ),
    code(
        "KL0401",
        "SQL password in a policy",
        "A connection string in a policy or resolver holds a password. Everybody who may read the \
         gateway's policies can read it, and old revisions keep it. Declare an Access for its \
         database: the data source then connects as the gateway's identity. Example:\n  \
         to: { server: orders-sql, database: orders }\n  \
         role: reader",
    ),
    code(
        "KL0402",
        "SQL password in a plain named value",
        "A plain named value holds a connection string with a password, and everybody who may \
         read the gateway can read it. Making it secret would only hide it. Declare an Access for \
         its database; keyless deletes the named value when nothing refers to it any more.",
    ),
    code(
        "KL0403",
        "SQL password in a secret named value",
        "A secret named value holds a connection string with a password, or the password of one. \
         It is hidden from readers and still a password that works from anywhere. Declare an \
         Access for its database; if the login behind it is not known, run `keyless plan \
         --inspect-secrets` or list it under `replaces`.",
    ),
    code(
        "KL0404",
        "a connection string that cannot be read",
        "A secret named value stands where a connection string is expected. Its value was not \
         read, so it is not known what it opens, or whether there is a password in it. `keyless \
         scan --inspect-secrets` reads it, in memory only; that needs the action \
         `Microsoft.ApiManagement/service/namedValues/listValue/action`.",
    ),
    code(
        "KL0405",
        "SQL login",
        "The server has a login with a password, which works from wherever the firewall lets in. \
         Declare an Access with `retire` for each database that it is used for: keyless disables \
         it, waits, and drops it. The server's own administrator cannot be dropped: give it a \
         random password that nobody keeps, and turn Entra-only authentication on (`entraOnly: \
         true`).",
    ),
    code(
        "KL0406",
        "user with a password",
        "The database has a user that logs in with a password of its own, or through a login of \
         the server. Declare an Access for this database: keyless closes that way in, waits, and \
         drops the user, once no path needs it.",
    ),
    code(
        "KL0407",
        "password authentication is on",
        "The server accepts passwords: Entra-only authentication is off. As long as it is, every \
         forgotten login opens it. Write `entraOnly: true` into the SqlServer document; keyless \
         turns it on when no path that it knows needs a password any more, and a person has \
         agreed.",
    ),
    code(
        "KL0408",
        "password in a policy",
        "`authentication-basic` or `proxy` in a policy holds a password, which everybody who may \
         read the policy can read. Where the service takes Entra tokens, declare an Access for it \
         (`to: { url, audience, accepts: [key, token] }`). Where it does not, keep the password \
         in Key Vault and refer to it through a named value.",
    ),
    code(
        "KL0409",
        "key or token in a policy",
        "A header, a query parameter, an expression, a certificate or a comment in a policy holds \
         a literal credential, which everybody who may read the policy can read. Where the \
         service behind takes Entra tokens, declare an Access for it. Where it does not, keep the \
         key in Key Vault and refer to it through a named value; a comment you take out by hand. \
         Example:\n  \
         to: { url: \"https://shipping.contoso.net\", audience: \"api://shipping\", accepts: [key, token] }",
    ),
    code(
        "KL0410",
        "credential in a named value",
        "A plain named value looks like a credential, and everybody who may read the gateway can \
         read it. If it is one, declare an Access for what it opens, or make it a Key Vault \
         reference with a NamedValue document. The finding says how sure it is.",
    ),
    code(
        "KL0411",
        "credential in a backend",
        "A backend holds a header, a query parameter, an authorization or a proxy password, which \
         whoever reads the gateway can read. Declare an Access for the service behind it: the \
         policies then send a token of the gateway's identity, and the backend loses its \
         credential. A proxy's password stays; keep it in Key Vault.",
    ),
    code(
        "KL0412",
        "credential in a URL",
        "The URL of an API or a backend holds a login or a key, as in `?code=` or `?sig=`. URLs \
         are shown to every reader and end in logs. Declare an Access for the service behind it; \
         the key in the URL is kept nowhere, so taking it out cannot be undone and waits for \
         `--allow-irreversible`.",
    ),
    code(
        "KL0413",
        "key in a secret named value",
        "Policies or backends send a secret named value as a credential. Its value is hidden and \
         still a key that works from anywhere. Declare an Access for the service that it opens; \
         `users` of the finding (with `--format json`) lists who sends it. One that comes from \
         Key Vault is only a note: it is as good as a key gets.",
    ),
    code(
        "KL0414",
        "logger with a key",
        "A logger authenticates with a connection string or a key. Give it `identityClientId`, \
         and the gateway's identity the right to send, with a RoleAssignment document: Monitoring \
         Metrics Publisher for Application Insights, Azure Event Hubs Data Sender for Event Hubs. \
         keyless does not manage loggers, so change the logger itself by hand.",
    ),
    code(
        "KL0415",
        "cache with a key",
        "An external cache is reached with a key in its connection string. Azure documents no \
         identity for it. Keep the connection string in Key Vault, through a named value, and \
         rotate it there.",
    ),
    code(
        "KL0416",
        "credential in a description",
        "A default value or an example of an operation or a schema, or a page of a wiki, holds a \
         credential. It does nothing for the call, and is shown to every reader of the API and in \
         the developer portal. Take it out of the description and rotate the credential. An \
         Operation document without the value lets keyless take it out; schemas and wikis you \
         change by hand.",
    ),
    code(
        "KL0417",
        "credential of an authorization server",
        "An OAuth server of the gateway holds a client secret or a password that its readers can \
         read. Remove it: the developer portal can ask the person who tries the API. keyless does \
         not manage OAuth servers, so do it by hand.",
    ),
    code(
        "KL0418",
        "open to all of Azure",
        "A firewall rule from 0.0.0.0 to 0.0.0.0 admits every service in Azure, those of other \
         customers included, whatever the rule is called. Use a private endpoint, or FirewallRule \
         documents for the gateway's own outbound addresses. With `owns: [firewallRules]` and \
         `prune: true` in the SqlServer document keyless removes it, last of all and after a \
         person has agreed.",
    ),
    code(
        "KL0419",
        "wide firewall rule",
        "A firewall rule admits more than 256 addresses, and any of them may try a password. Use \
         a private endpoint, or a FirewallRule document with only the addresses that are needed: \
         keyless narrows a rule when nothing of the old path is left.",
    ),
    code(
        "KL0420",
        "auditing with a storage key",
        "The audit is written to a storage account with the account's key. Let the server's \
         identity write it: the role Storage Blob Data Contributor, and `isManagedIdentityInUse: \
         true` in `auditing` of the SqlServer document. Or send it to Azure Monitor with \
         `isAzureMonitorTargetEnabled: true`.",
    ),
    code(
        "KL0421",
        "old TLS",
        "The server accepts TLS older than 1.2, which others on the network may break. Set \
         `properties: { minimalTlsVersion: \"1.2\" }` in the SqlServer document, once no client \
         needs less.",
    ),
    code(
        "KL0422",
        "application role",
        "The database has a role that an application enters with a password (`sp_setapprole`). \
         Give its rights to the role of an Access (`role: custom` and `grants`), let the \
         application use that, then drop the application role by hand.",
    ),
    code(
        "KL0423",
        "database-scoped credential",
        "The database keeps a credential for another service, such as a storage account, with its \
         secret. Make it anew with `IDENTITY = 'Managed Identity'`, let the external data sources \
         refer to that one, and drop the old one by hand.",
    ),
    code(
        "KL0424",
        "client certificate",
        "A policy or a backend shows a service a client certificate that the gateway keeps. \
         Nobody reads its private key from there, so this is only a note; but the certificate runs \
         out, and whoever may write policies can use it. Where the service behind takes Entra \
         tokens, declare an Access for it. Where it does not, let the certificate come from Key \
         Vault and name it by `certificate-id`.",
    ),
    code(
        "KL0425",
        "client secret that the gateway keeps",
        "An OAuth server, an OpenID provider, a sign-in of the developer portal or the credential \
         manager logs in as a client, with a secret that Azure shows to nobody who only reads. \
         What it gets from Entra, the gateway's identity gets without a secret: \
         `authentication-managed-identity` with the same resource. Elsewhere it is a note: take \
         the entry out if nobody uses it, renew its secret if somebody does.",
    ),
    code(
        "KL0426",
        "keys of callers",
        "Callers of the gateway show subscription keys, and whoever has one is that caller, from \
         anywhere. This is a note, as every caller has to change before a key can go. Let callers \
         send tokens: `callers` of an Access checks them with `validate-azure-ad-token`; then set \
         `subscriptionRequired: false` on the API, and cancel the subscriptions that nobody uses.",
    ),
    code(
        "KL0427",
        "management by a key",
        "Tenant access is on: two keys open the gateway's own management API or its repository, \
         past Entra and its roles, and no log says who used one. Turn it off (`enabled: false` on \
         `tenant/access` or `tenant/gitAccess`); whoever managed the gateway this way logs in with \
         Entra. keyless does not manage it, so do it by hand.",
    ),
    code(
        "KL0428",
        "key of a self-hosted gateway",
        "A self-hosted gateway fetches its configuration, secrets included, with a token that one \
         of its two keys makes. Where it can, let it log in with Entra: workload identity needs no \
         secret at all. This is a note; where the gateway logs in so already, renew both keys once \
         and keep neither.",
    ),
    code(
        "KL0429",
        "uploaded certificate",
        "A certificate, or that of a host name, was uploaded with its private key, so the file \
         is somewhere, and it runs out without anybody renewing it. Azure shows the key to nobody, \
         so this is a note. Let the gateway fetch it from Key Vault with its identity.",
    ),
    code(
        "KL0430",
        "credential in the log",
        "A diagnostic writes a header to the log that carries a credential, such as \
         `Authorization`: whoever reads the log can call as its sender while it is valid. Take the \
         header out of `headers`, or mask it under `dataMasking`. keyless does not manage \
         diagnostics, so do it by hand.",
    ),
    code(
        "KL0431",
        "key of a delegated portal",
        "The developer portal hands sign-in or subscriptions over to another site and signs that \
         with a key. Azure has no identity for it, so this is a note: renew the key when somebody \
         who knew it leaves.",
    ),
    code(
        "KL0432",
        "alerts or assessments with a storage key",
        "The server or a database writes alerts or a vulnerability assessment to a storage account, \
         with the account's key or a shared access signature. Take the storage out: the express \
         configuration of the assessment has none, and Defender for Cloud shows the alerts. \
         keyless does not manage these, so do it by hand.",
    ),
    code(
        "KL0433",
        "elastic job with a password",
        "An elastic job agent keeps a user and a password, and logs in with them to each database \
         that its jobs run on. Give the agent a user-assigned identity, make that a user of each \
         target, and take the credential out of the steps of the jobs. Entra-only authentication \
         refuses such jobs.",
    ),
    code(
        "KL0434",
        "Data Sync with a password",
        "A sync group or a member logs in to its database with a user and a password, or an agent \
         takes part with a key. Give them a user-assigned identity, or move the data another way: \
         Data Sync ends in September 2027. Entra-only authentication refuses its passwords.",
    ),
    code(
        "KL0501",
        "drifted",
        "Something is other than declared: a field has another value than the manifest gives it, \
         or the service cannot read the secret behind a named value. Find out who changed it. If \
         the change is right, put it into the manifest; if not, `keyless plan` shows how to put \
         it back.",
    ),
    code(
        "KL0502",
        "missing",
        "A declared thing is not there. If keyless had applied it, somebody took it away \
         (*missing*), and callers that need it may fail; else apply has not come to it yet \
         (*pending*). `keyless plan` shows the steps that make it, or what holds them up.",
    ),
    code(
        "KL0503",
        "unmanaged",
        "A thing that no document declares is in a scope that the manifests own (`owns`, \
         `exclusive`), or keyless gave a role to an identity that its document no longer means. \
         Nobody reviewed it. Declare it, take it away by hand, or let keyless do so: `prune: \
         true` on a gateway or server, `exclusive: true` on a database.",
    ),
    code(
        "KL0504",
        "unreadable",
        "A thing could not be read, so nothing is known about it, and it is never called clean. \
         Usually the identity that runs keyless lacks a right, or the network does not let it in; \
         the finding has the service's reason. The README lists the rights that drift needs.",
    ),
    code(
        "KL0505",
        "a credential is back",
        "A path that an Access moved to an identity uses a credential again: a connection string, \
         a header, a backend's key. Somebody put it back, or deployed an old policy. Stop that \
         deployment first, or it will come again; `keyless plan` then shows the switch anew.",
    ),
    code(
        "KL0506",
        "a stale SID",
        "The database user has another SID than its identity: the identity was deleted and made \
         anew, and the old user cannot log in any more. The name looks right, which is why it is \
         compared by SID. `keyless plan` drops the old user and makes it again with the same \
         rights.",
    ),
    code(
        "KL0507",
        "password authentication is back",
        "Entra-only authentication was on and is off, so passwords work again on the whole \
         server. Find out who turned it off and which login they needed. `keyless plan` shows how \
         it is turned on again, or who still needs a password.",
    ),
    code(
        "KL0508",
        "an old way in is open again",
        "A login, a user or a named value that was closed or dropped is there again, and with it \
         the old way in; or, as a note, an Access has no `retire` and its old credential stays. \
         Find out who needs it: they have no Access yet. `keyless plan` shows how it is closed \
         again.",
    ),
    code(
        "KL0509",
        "a right that nobody declared",
        "A role of keyless or the user of an identity can do more, or less, than its Access says, \
         or is in a fixed role such as db_owner. Whoever may write policies can use every right \
         of that identity. Revoke it, or declare it with a SqlGrant or SqlRole document; \
         `exclusive: true` on the database makes the revocation a step of the plan.",
    ),
    code(
        "KL0510",
        "a token goes elsewhere",
        "An API or an operation asks for the token of an Access, and its calls lead to another \
         host than the Access's service. Whoever is there can use the token against the \
         service for as long as it is valid. Turn the backend or URL back at once; what is to \
         lead elsewhere needs a policy of its own without `<base />`.",
    ),
    code(
        "KL0511",
        "callers are not checked",
        "An Access demands callers, keyless put a `validate-azure-ad-token` element into the policy \
         of its API, and it is gone or says something else: whoever reaches the API may call it. \
         Find out who changed the policy; `keyless plan` and apply put the element back, after a \
         person said again that every caller sends such a token.",
    ),
    code(
        "KL0601",
        "policy larger than the service takes",
        "A policy document has at most 256 KiB (16 KiB in the Consumption tier), a fragment at \
         most 512 KiB (Microsoft docs, \"API Management limits\"). Move what several policies \
         share into fragments.",
    ),
    code(
        "KL0602",
        "section of a policy",
        "A policy has the sections inbound, backend, outbound and on-error, each at most once, and \
         every statement stands in one of them. The service refuses a document that is built \
         otherwise.",
    ),
    code(
        "KL0603",
        "not for fragments",
        "A policy fragment holds statements only: no sections, no `<base />`, and no other \
         fragment (Microsoft docs, \"Reuse policy configurations\"). Write these in the policy that \
         includes it.",
    ),
    code(
        "KL0604",
        "client id from an expression",
        "`authentication-managed-identity` takes no expression as its client-id. Write the client \
         id of the user-assigned identity, or a named value; leave it out for the system-assigned \
         one.",
    ),
    code(
        "KL0605",
        "failed token passed over",
        "With `ignore-error=\"true\"` a call for which no token could be had goes on without one, so \
         that the fault is seen elsewhere and late, or as an anonymous call not at all. Leave the \
         attribute out.",
    ),
    code(
        "KL0606",
        "statement in the wrong place",
        "`authentication-managed-identity` (but in a request of its own) and \
         `validate-azure-ad-token` work in inbound only; data sources are the root of a resolver's \
         policy. Elsewhere the service refuses them, or a gateway skips them in silence.",
    ),
    code(
        "KL0607",
        "token given to a log, a cache or an answer",
        "The variable that holds a managed identity's token is named in a statement that logs, \
         stores or answers it. Whoever reads that can use the token until it ends. Send the token \
         to the service that it is for and nowhere else.",
    ),
];

const fn code(code: &'static str, title: &'static str, about: &'static str) -> Code {
    Code { code, title, about }
}

/// The entry for a code, whatever its case.
pub fn find(text: &str) -> Option<&'static Code> {
    CODES
        .iter()
        .find(|c| c.code.eq_ignore_ascii_case(text.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_in_order_and_unique() {
        assert!(CODES.windows(2).all(|w| w[0].code < w[1].code));
        assert_eq!(find("kl0101").map(|c| c.title), Some("malformed YAML"));
        assert!(find("KL9999").is_none());
    }
}
