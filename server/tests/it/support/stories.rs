//! Stories that must go the same way whatever the storage.

/// Where a world keeps its things.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Storage {
    /// One node with its data folder.
    Embedded,
    /// Two nodes on PostgreSQL, Redis, S3 and ClickHouse.
    Services,
}

/// Makes each `async fn story(storage: Storage)` a test on embedded storage and one on two nodes with services.
macro_rules! stories {
    ($($story:ident),+ $(,)?) => {
        mod embedded {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $story() {
                    super::$story(crate::support::stories::Storage::Embedded).await;
                }
            )+
        }
        mod two_nodes {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $story() {
                    super::$story(crate::support::stories::Storage::Services).await;
                }
            )+
        }
    };
}
pub(crate) use stories;
