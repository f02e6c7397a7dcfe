//! Both databases have the same tables, columns, keys and indexes.

use std::collections::BTreeMap;

use botloom_backends::Database;
use sqlx::{PgConnection, Row as _};

use crate::support::postgres::TestDatabase;

/// What a table is made of, in words that both databases share.
type Tables = BTreeMap<String, Vec<String>>;

fn add(tables: &mut Tables, table: &str, line: String) {
    tables.entry(table.to_owned()).or_default().push(line);
}

fn sorted(mut tables: Tables) -> Tables {
    for lines in tables.values_mut() {
        lines.sort();
    }
    tables
}

fn column(name: &str, kind: &str, required: bool) -> String {
    let kind = if kind == "bytea" { "blob" } else { kind };
    let null = if required { "not null" } else { "null" };
    format!("column {name} {kind} {null}")
}

fn index(name: Option<&str>, unique: bool, columns: &str, condition: Option<&str>) -> String {
    let (name, unique) = (name.unwrap_or("of a key"), if unique { "unique" } else { "" });
    let condition = condition.map(words).unwrap_or_default();
    format!("index {name} {unique} ({columns}) {condition}")
}

/// A condition's column and constants: the databases write operators differently.
fn words(condition: &str) -> String {
    let plain = condition
        .replace("::text", " ")
        .replace("IN", " ")
        .replace("ANY", " ");
    let words = plain.replace("ARRAY", " ");
    let words = words.split(|c: char| !(c.is_alphanumeric() || c == '_'));
    words
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}

/// Rows of texts.
fn rows(db: &rusqlite::Connection, sql: &str) -> Vec<Vec<String>> {
    let mut select = db.prepare(sql).unwrap();
    let columns = select.column_count();
    let rows = select.query_map([], |row| (0..columns).map(|n| row.get(n)).collect());
    rows.unwrap().collect::<Result<_, _>>().unwrap()
}

fn of_sqlite(db: &rusqlite::Connection) -> Tables {
    let mut tables = Tables::new();
    const TABLES: &str =
        "sqlite_master t WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite%' AND t.name NOT LIKE '_sqlx%'";
    for table in rows(db, &format!("SELECT t.name FROM {TABLES}")).concat() {
        let columns =
            format!("SELECT name, lower(type), CAST(\"notnull\" AS TEXT) FROM pragma_table_info('{table}')");
        for row in rows(db, &columns) {
            add(&mut tables, &table, column(&row[0], &row[1], row[2] == "1"));
        }
        let indexes = format!(
            "SELECT l.name, l.origin, CAST(l.\"unique\" AS TEXT), \
             (SELECT group_concat(name, ', ') FROM (SELECT name FROM pragma_index_info(l.name) ORDER BY seqno)), \
             COALESCE((SELECT sql FROM sqlite_master WHERE name = l.name), '') FROM pragma_index_list('{table}') l"
        );
        for row in rows(db, &indexes) {
            let condition = row[4].split_once(" WHERE ").map(|(_, condition)| condition);
            let name = (row[1] == "c").then_some(&*row[0]);
            add(
                &mut tables,
                &table,
                index(name, row[2] == "1", &row[3], condition),
            );
        }
        // A key that is one integer column needs no index in SQLite only if it says INTEGER; ours say BIGINT.
        let references =
            format!("SELECT \"from\", \"table\", \"to\" FROM pragma_foreign_key_list('{table}')");
        for row in rows(db, &references) {
            add(
                &mut tables,
                &table,
                format!("{} refers to {} ({})", row[0], row[1], row[2]),
            );
        }
    }
    sorted(tables)
}

async fn of_postgres(db: &mut PgConnection) -> Tables {
    let mut tables = Tables::new();
    let columns = sqlx::query(
        "SELECT c.table_name::text, c.column_name::text, c.data_type::text, c.is_nullable = 'NO' \
         FROM information_schema.columns c WHERE c.table_schema = 'public' AND c.table_name NOT LIKE '\\_sqlx%'",
    );
    for row in columns.fetch_all(&mut *db).await.unwrap() {
        let table: String = row.get(0);
        let line = column(row.get(1), row.get(2), row.get(3));
        add(&mut tables, &table, line);
    }
    let indexes = sqlx::query(
        "SELECT t.relname::text, i.relname::text, x.indisunique, \
         EXISTS (SELECT 1 FROM pg_constraint k WHERE k.conindid = x.indexrelid AND k.contype IN ('p', 'u')), \
         (SELECT string_agg(a.attname, ', ' ORDER BY k.n) FROM unnest(x.indkey) WITH ORDINALITY AS k (attnum, n) \
         JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = k.attnum), pg_get_expr(x.indpred, t.oid) \
         FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid JOIN pg_class t ON t.oid = x.indrelid \
         JOIN pg_namespace s ON s.oid = t.relnamespace \
         WHERE s.nspname = 'public' AND t.relname NOT LIKE '\\_sqlx%'",
    );
    for row in indexes.fetch_all(&mut *db).await.unwrap() {
        let (table, name, of_key): (String, String, bool) = (row.get(0), row.get(1), row.get(3));
        let line = index((!of_key).then_some(&*name), row.get(2), row.get(4), row.get(5));
        add(&mut tables, &table, line);
    }
    let references = sqlx::query(
        "SELECT t.relname::text, a.attname::text, r.relname::text, b.attname::text FROM pg_constraint k \
         JOIN pg_class t ON t.oid = k.conrelid JOIN pg_class r ON r.oid = k.confrelid \
         JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = k.conkey[1] \
         JOIN pg_attribute b ON b.attrelid = r.oid AND b.attnum = k.confkey[1] WHERE k.contype = 'f'",
    );
    for row in references.fetch_all(&mut *db).await.unwrap() {
        let (table, from): (String, String) = (row.get(0), row.get(1));
        let (to, key): (String, String) = (row.get(2), row.get(3));
        add(&mut tables, &table, format!("{from} refers to {to} ({key})"));
    }
    sorted(tables)
}

#[tokio::test]
async fn both_databases_have_the_same_schema() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("control.db");
    Database::open_sqlite(&path).await.unwrap().close().await;
    let sqlite = of_sqlite(&rusqlite::Connection::open(&path).unwrap());
    let database = TestDatabase::create().await;
    database.open().await.close().await;
    let postgres = of_postgres(&mut database.connect().await).await;
    assert!(
        sqlite.contains_key("bots") && sqlite["deployments"].len() > 20,
        "{sqlite:#?}"
    );
    for (table, lines) in &sqlite {
        assert_eq!(Some(lines), postgres.get(table), "table {table}");
    }
    assert!(postgres.keys().eq(sqlite.keys()));
}

#[tokio::test]
async fn texts_compare_byte_by_byte() {
    let database = TestDatabase::create().await;
    database.open().await.close().await;
    let others = sqlx::query(
        "SELECT table_name || '.' || column_name FROM information_schema.columns WHERE table_schema = 'public' \
         AND table_name NOT LIKE '\\_sqlx%' AND data_type = 'text' AND collation_name IS DISTINCT FROM 'C'",
    );
    let others = others.fetch_all(&mut database.connect().await).await.unwrap();
    let others: Vec<String> = others.iter().map(|row| row.get(0)).collect();
    assert_eq!(others, Vec::<String>::new());
}
