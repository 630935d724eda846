//! The statements, prepared once for each connection.

use tokio_postgres::{Client, Error, Statement};

// Each takes arrays, so that a group of any size is a few statements. The rows are locked and
// written in the order of the arrays, which are sorted.

const LOCK_EXCLUSIVE: &str = "
    select k.n, case when k.wanted then r.value end, r.crc
    from unnest($1::bytea[], $2::boolean[]) with ordinality as k(key, wanted, n)
    join throughline.record r on r.key = k.key
    for update of r";

const LOCK_SHARED: &str = "
    select k.n, case when k.wanted then r.value end, r.crc
    from unnest($1::bytea[], $2::boolean[]) with ordinality as k(key, wanted, n)
    join throughline.record r on r.key = k.key
    for share of r";

const INSERT: &str = "
    insert into throughline.record (key, value, crc)
    select * from unnest($1::bytea[], $2::bytea[], $3::integer[])";

const UPSERT: &str = "
    insert into throughline.record (key, value, crc)
    select * from unnest($1::bytea[], $2::bytea[], $3::integer[])
    on conflict (key) do update set value = excluded.value, crc = excluded.crc";

const DELETE: &str = "
    delete from throughline.record r
    using unnest($1::bytea[]) as k(key)
    where r.key = k.key";

const LANDED: &str = "insert into throughline.outcome (id, landed) values ($1, true)";

const FENCE: &str = "
    insert into throughline.outcome (id, landed) values ($1, false) on conflict do nothing";

const OUTCOME: &str = "select landed from throughline.outcome where id = $1";

// A transaction with nothing in it but a record in the log, which a commit waits for; none where
// there are no standbys, and so none of them can have taken over.
const SETTLE: &str = "
    select case when current_setting('synchronous_standby_names') <> ''
        then pg_logical_emit_message(true, 'throughline', ''::text) end";

const GET: &str = "
    select k.n, r.value, r.crc
    from unnest($1::bytea[]) with ordinality as k(key, n)
    join throughline.record r on r.key = k.key";

// Rows up to the first that does not fit, whose key alone is the next page's first: the second, if
// the first is larger than the page.
const SCAN: &str = "
    select key, case when n = 1 or (n <= $3::bigint and total <= $4::bigint) then value end, crc
    from (
        select key, value, crc,
            octet_length(key) + octet_length(value) as size,
            row_number() over ascending as n,
            sum(octet_length(key) + octet_length(value)) over ascending as total
        from throughline.record
        where key >= $1 and key < $2
        window ascending as (order by key rows between unbounded preceding and current row)
        order by key
        limit $3::bigint + 1
    ) as page
    where n <= 2 or total - size <= $4::bigint
    order by key";

#[derive(Debug)]
pub(crate) struct Statements {
    pub(crate) lock_exclusive: Statement,
    pub(crate) lock_shared: Statement,
    pub(crate) insert: Statement,
    pub(crate) upsert: Statement,
    pub(crate) delete: Statement,
    pub(crate) landed: Statement,
    pub(crate) fence: Statement,
    pub(crate) outcome: Statement,
    pub(crate) settle: Statement,
    pub(crate) get: Statement,
    pub(crate) scan: Statement,
}

impl Statements {
    pub(crate) async fn prepare(client: &Client) -> Result<Self, Error> {
        let all = [
            LOCK_EXCLUSIVE,
            LOCK_SHARED,
            INSERT,
            UPSERT,
            DELETE,
            LANDED,
            FENCE,
            OUTCOME,
            SETTLE,
            GET,
            SCAN,
        ];
        let prepared = futures_util::future::try_join_all(all.map(|sql| client.prepare(sql)));
        let mut prepared = prepared.await?.into_iter();
        // As many as are asked for, in their order.
        let mut next = || prepared.next().expect("one statement for each text");
        Ok(Self {
            lock_exclusive: next(),
            lock_shared: next(),
            insert: next(),
            upsert: next(),
            delete: next(),
            landed: next(),
            fence: next(),
            outcome: next(),
            settle: next(),
            get: next(),
            scan: next(),
        })
    }
}
