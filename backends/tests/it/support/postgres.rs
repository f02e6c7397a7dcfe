//! A database of its own for each test.

use std::str::FromStr as _;

use botloom_backends::Database;
use botloom_core::Secret;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _};
use url::Url;
use uuid::Uuid;

use super::setting;

/// An empty database; dropping it removes it.
#[derive(Debug)]
pub(crate) struct TestDatabase {
    server: String,
    name: String,
}

impl TestDatabase {
    /// On the server of `BOTLOOM_TEST_POSTGRES_URL`.
    pub(crate) async fn create() -> Self {
        Self::create_on(setting("BOTLOOM_TEST_POSTGRES_URL")).await
    }

    /// On the server with this superuser's URL.
    pub(crate) async fn create_on(server: String) -> Self {
        let name = format!("botloom_{}", Uuid::new_v4().simple());
        run(&server, format!("CREATE DATABASE {name}")).await;
        Self { server, name }
    }

    pub(crate) fn url(&self) -> Secret {
        let mut url = Url::parse(&self.server).unwrap();
        url.set_path(&self.name);
        Secret::new(url)
    }

    /// A pool of its own, as another process would have.
    pub(crate) async fn open(&self) -> Database {
        Database::open_postgres(&self.url()).await.unwrap()
    }

    /// Past all ports.
    pub(crate) async fn connect(&self) -> PgConnection {
        let options = PgConnectOptions::from_str(self.url().expose()).unwrap();
        PgConnection::connect_with(&options).await.unwrap()
    }

    /// Runs statements past all ports.
    pub(crate) async fn by_hand(&self, sql: &str) {
        run(self.url().expose(), sql.to_owned()).await;
    }
}

async fn run(url: &str, sql: String) {
    let options = PgConnectOptions::from_str(url).unwrap();
    let mut connection = PgConnection::connect_with(&options).await.unwrap();
    connection.execute(AssertSqlSafe(sql)).await.unwrap();
    connection.close().await.unwrap();
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        let drop = format!("DROP DATABASE {} WITH (FORCE)", self.name);
        let server = self.server.clone();
        let removing = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(run(&server, drop));
        });
        // A server that a test ended took its databases with it.
        removing.join().ok();
    }
}
