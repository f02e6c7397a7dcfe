//! The suites of what processes share through Redis, on one server and on a cluster.

use std::sync::Arc;

use botloom_backends::{Database, Homes, RedisBus, RedisEventLog, RedisNodes, RedisOutcomes, RedisTasks};
use botloom_core::model::NodeId;
use botloom_core::testing::conformance;
use tempfile::TempDir;

use crate::support::postgres::TestDatabase;
use crate::support::test_redis::TestRedis;

async fn bus(redis: TestRedis) -> (conformance::bus::Subject, TestRedis) {
    (Arc::new(RedisBus::start(&redis.link().await).await), redis)
}

async fn event_log(redis: TestRedis) -> (conformance::event_log::Subject, TestRedis) {
    let link = redis.link().await;
    let bus = Arc::new(RedisBus::start(&link).await);
    let log = Arc::new(RedisEventLog::new(&link, bus.clone()));
    (conformance::event_log::Subject { log, bus }, redis)
}

/// Three processes.
async fn nodes(redis: TestRedis) -> (conformance::nodes::Subject, TestRedis) {
    let mut members = Vec::new();
    for _ in 0..3 {
        let link = redis.link().await;
        let bus = Arc::new(RedisBus::start(&link).await);
        let homes = Homes::new(NodeId::generate());
        let nodes = Arc::new(RedisNodes::new(&link, homes, bus.clone()));
        members.push(conformance::nodes::Member { nodes, bus });
    }
    (members, redis)
}

/// Two processes.
async fn outcomes(redis: TestRedis) -> (conformance::outcomes::Subject, TestRedis) {
    let mut members = conformance::outcomes::Subject::new();
    for _ in 0..2 {
        members.push(Arc::new(RedisOutcomes::new(&redis.link().await)));
    }
    (members, redis)
}

async fn tasks(redis: &TestRedis, db: &Database) -> conformance::tasks::Subject {
    let link = redis.link().await;
    let bus = Arc::new(RedisBus::start(&link).await);
    Arc::new(RedisTasks::new(&link, db, &bus, NodeId::generate()))
}

async fn tasks_on_postgres(redis: TestRedis) -> (conformance::tasks::Subject, (TestRedis, TestDatabase)) {
    let database = TestDatabase::create().await;
    let tasks = tasks(&redis, &database.open().await).await;
    (tasks, (redis, database))
}

async fn tasks_on_sqlite(redis: TestRedis) -> (conformance::tasks::Subject, (TestRedis, TempDir)) {
    let dir = tempfile::tempdir().unwrap();
    let db = Database::open_sqlite(&dir.path().join("control.db"))
        .await
        .unwrap();
    (tasks(&redis, &db).await, (redis, dir))
}

mod single {
    use super::TestRedis;

    mod redis_bus {
        botloom_core::bus_conformance!(super::super::bus(super::TestRedis::single().await).await);
    }
    mod events {
        botloom_core::event_log_conformance!(super::super::event_log(super::TestRedis::single().await).await);
    }
    mod redis_nodes {
        botloom_core::nodes_conformance!(super::super::nodes(super::TestRedis::single().await).await);
    }
    mod redis_outcomes {
        botloom_core::outcomes_conformance!(super::super::outcomes(super::TestRedis::single().await).await);
    }
    mod task_queues_on_postgres {
        botloom_core::tasks_conformance!(
            super::super::tasks_on_postgres(super::TestRedis::single().await).await
        );
    }
    mod task_queues_on_sqlite {
        botloom_core::tasks_conformance!(
            super::super::tasks_on_sqlite(super::TestRedis::single().await).await
        );
    }
}

mod cluster {
    use super::TestRedis;

    mod redis_bus {
        botloom_core::bus_conformance!(super::super::bus(super::TestRedis::cluster().await).await);
    }
    mod events {
        botloom_core::event_log_conformance!(
            super::super::event_log(super::TestRedis::cluster().await).await
        );
    }
    mod redis_nodes {
        botloom_core::nodes_conformance!(super::super::nodes(super::TestRedis::cluster().await).await);
    }
    mod redis_outcomes {
        botloom_core::outcomes_conformance!(super::super::outcomes(super::TestRedis::cluster().await).await);
    }
    mod task_queues_on_postgres {
        botloom_core::tasks_conformance!(
            super::super::tasks_on_postgres(super::TestRedis::cluster().await).await
        );
    }
}
