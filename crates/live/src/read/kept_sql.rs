//! What only a search for credentials looks at in a SQL server: where audits, alerts and
//! assessments are written, and who logs in for jobs and Data Sync (azure-facts C.6). Azure tells
//! the names and keeps the passwords.

use futures::future::try_join_all;
use keyless_azure::sql;
use keyless_model::{Address, ArmId};

use super::reader::Reader;
use crate::error::LiveError;

/// Reads what the server itself has.
pub(crate) async fn read(
    reader: &Reader<'_>,
    server: &Address,
    id: &ArmId,
) -> Result<(), LiveError> {
    if !reader.reading.search {
        return Ok(());
    }
    let support = server.part("supportAuditing");
    let (alerts, assessment) = (server.part("alerts"), server.part("assessment"));
    tokio::try_join!(
        reader.item(&support, sql::support_auditing(id)),
        reader.item(&alerts, sql::alerts(id)),
        reader.item(&assessment, sql::assessment(id)),
        reader.children(server, "syncAgent", sql::sync_agents(id)),
        jobs(reader, server, id),
    )?;
    Ok(())
}

/// The elastic job agents, and what the jobs of each log in with.
async fn jobs(reader: &Reader<'_>, server: &Address, id: &ArmId) -> Result<(), LiveError> {
    let request = sql::job_agents(id);
    let found = reader.children(server, "jobAgent", request).await?;
    let credentials = |a: &Address| sql::job_credentials(id, a.last().1);
    let lists = found
        .iter()
        .map(|a| reader.children(a, "credential", credentials(a)));
    try_join_all(lists).await?;
    Ok(())
}

/// Reads what each of these databases has of its own.
pub(crate) async fn of_databases(
    reader: &Reader<'_>,
    server: &Address,
    id: &ArmId,
    names: &[String],
) -> Result<(), LiveError> {
    if !reader.reading.search {
        return Ok(());
    }
    try_join_all(names.iter().map(|name| database(reader, server, id, name))).await?;
    Ok(())
}

async fn database(
    reader: &Reader<'_>,
    server: &Address,
    id: &ArmId,
    name: &str,
) -> Result<(), LiveError> {
    let address = server.child("db", name);
    let (auditing, alerts) = (address.part("auditing"), address.part("alerts"));
    let assessment = address.part("assessment");
    let groups = async {
        let request = sql::sync_groups(id, name);
        let found = reader.children(&address, "syncGroup", request).await?;
        let members = |g: &Address| sql::sync_members(id, name, g.last().1);
        let lists = found
            .iter()
            .map(|g| reader.children(g, "syncMember", members(g)));
        try_join_all(lists).await
    };
    tokio::try_join!(
        reader.item(&auditing, sql::database_auditing(id, name)),
        reader.item(&alerts, sql::database_alerts(id, name)),
        reader.item(&assessment, sql::database_assessment(id, name)),
        groups,
    )?;
    Ok(())
}
