//! Every question that keyless asks a server, as fixed text: nothing is ever pasted into it.
//!
//! Plain SELECTs over the catalogue views (Microsoft SQL docs, "System catalog views"). Numbers are
//! cast to `int` so that a reader need not know which of `bit`, `tinyint` and `int` a view uses.
//! Each batch first asks who reads and what it may see: a catalogue view hides rows from those who
//! may not see them instead of failing, so an answer is worth nothing without that line
//! (azure-facts C.4).

/// The result sets of [`CATALOGUE`], in order.
pub(crate) const CATALOGUE_SETS: usize = 6;

/// The security of a database in one round trip: reader, principals, memberships, permissions,
/// schemas, security policies. Permissions on system objects (negative ids) are left out: every
/// database has thousands of them, for `public`.
pub(crate) const CATALOGUE: &str = "\
SELECT USER_NAME() AS running_as,
  HAS_PERMS_BY_NAME(NULL, 'DATABASE', 'VIEW SECURITY DEFINITION') AS sees_security,
  HAS_PERMS_BY_NAME(NULL, 'DATABASE', 'VIEW DEFINITION') AS sees_definitions;

SELECT p.name AS name, p.type AS type, p.sid AS sid,
  CAST(p.is_fixed_role AS int) AS is_fixed_role,
  CAST(p.authentication_type AS int) AS authentication_type
FROM sys.database_principals AS p;

SELECT r.name AS role_name, m.name AS member_name
FROM sys.database_role_members AS x
JOIN sys.database_principals AS r ON r.principal_id = x.role_principal_id
JOIN sys.database_principals AS m ON m.principal_id = x.member_principal_id;

SELECT CAST(x.class AS int) AS class, x.class_desc AS class_desc,
  CAST(x.major_id AS int) AS major_id, CAST(x.minor_id AS int) AS minor_id,
  x.permission_name AS permission_name, x.state AS state, g.name AS grantee,
  s.name AS schema_name, os.name AS object_schema, o.name AS object_name, c.name AS column_name
FROM sys.database_permissions AS x
JOIN sys.database_principals AS g ON g.principal_id = x.grantee_principal_id
LEFT JOIN sys.schemas AS s ON x.class = 3 AND s.schema_id = x.major_id
LEFT JOIN sys.objects AS o ON x.class = 1 AND o.object_id = x.major_id
LEFT JOIN sys.schemas AS os ON os.schema_id = o.schema_id
LEFT JOIN sys.columns AS c
  ON x.class = 1 AND c.object_id = x.major_id AND c.column_id = x.minor_id
WHERE x.major_id >= 0;

SELECT s.name AS schema_name, p.name AS owner_name
FROM sys.schemas AS s
LEFT JOIN sys.database_principals AS p ON p.principal_id = s.principal_id;

SELECT s.name AS schema_name, p.name AS policy_name, CAST(p.is_enabled AS int) AS is_enabled,
  CAST(q.security_predicate_id AS int) AS predicate_id,
  q.predicate_type_desc AS predicate_type, q.predicate_definition AS definition,
  q.operation_desc AS operation, ts.name AS target_schema, t.name AS target_name
FROM sys.security_policies AS p
JOIN sys.schemas AS s ON s.schema_id = p.schema_id
LEFT JOIN sys.security_predicates AS q ON q.object_id = p.object_id
LEFT JOIN sys.objects AS t ON t.object_id = q.target_object_id
LEFT JOIN sys.schemas AS ts ON ts.schema_id = t.schema_id
ORDER BY s.name, p.name, q.security_predicate_id";

/// The firewall rules that only the database knows; whoever may connect may read them
/// (Microsoft SQL docs, `sys.database_firewall_rules`).
pub(crate) const FIREWALL_RULES: &str = "\
SELECT r.name AS name, r.start_ip_address AS start_ip, r.end_ip_address AS end_ip
FROM sys.database_firewall_rules AS r";

/// The result sets of [`SCOPED_CREDENTIALS`].
pub(crate) const SCOPED_CREDENTIALS_SETS: usize = 2;

/// Database-scoped credentials; seen by whoever has CONTROL on the database (Microsoft SQL docs,
/// `sys.database_scoped_credentials`).
pub(crate) const SCOPED_CREDENTIALS: &str = "\
SELECT USER_NAME() AS running_as,
  HAS_PERMS_BY_NAME(NULL, 'DATABASE', 'CONTROL') AS controls;

SELECT c.name AS name, c.credential_identity AS identity_name
FROM sys.database_scoped_credentials AS c";

/// The result sets of [`LOGINS`].
pub(crate) const LOGINS_SETS: usize = 2;

/// The SQL logins of a server; asked in `master`. Who is neither dbo there nor allowed to see
/// definitions sees at most its own login.
pub(crate) const LOGINS: &str = "\
SELECT USER_NAME() AS running_as,
  HAS_PERMS_BY_NAME(NULL, NULL, 'VIEW ANY SECURITY DEFINITION') AS sees_security,
  HAS_PERMS_BY_NAME(NULL, NULL, 'VIEW ANY DEFINITION') AS sees_definitions,
  IS_SRVROLEMEMBER('##MS_SecurityDefinitionReader##') AS reads_definitions;

SELECT l.name AS name, l.sid AS sid, CAST(l.is_disabled AS int) AS is_disabled
FROM sys.sql_logins AS l";

/// The result sets of [`SESSIONS`].
pub(crate) const SESSIONS_SETS: usize = 2;

/// The user sessions in this database, the asking one among them: it gives the database's id (on
/// Azure SQL `DB_ID()` need not agree with the views) and proves that the view answers.
/// `login_time` is UTC on Azure.
pub(crate) const SESSIONS: &str = "\
SELECT USER_NAME() AS running_as, CAST(@@SPID AS int) AS own_session,
  HAS_PERMS_BY_NAME(NULL, 'DATABASE', 'VIEW DATABASE STATE') AS sees_sessions;

SELECT CAST(s.session_id AS int) AS session_id, s.original_login_name AS original_login,
  DATEDIFF_BIG(second, '1970-01-01', s.login_time) AS login_time,
  s.program_name AS program, s.host_name AS host
FROM sys.dm_exec_sessions AS s
JOIN sys.dm_exec_sessions AS me ON me.session_id = @@SPID AND me.database_id = s.database_id
WHERE s.is_user_process = 1";

/// Whether the server takes Entra tokens only (azure-facts C.1).
pub(crate) const ENTRA_ONLY: &str =
    "SELECT CAST(SERVERPROPERTY('IsExternalAuthenticationOnly') AS int) AS entra_only";

/// Whether change data capture is on; its jobs run as SQL users (azure-facts C.1).
pub(crate) const CAPTURES: &str = "\
SELECT CAST(d.is_cdc_enabled AS int) AS captures
FROM sys.databases AS d WHERE d.name = DB_NAME()";
