-- Rows of the keyspace. crc is CRC-32 over the key's length, the key and the value.
create table throughline.record (
    key bytea not null,
    value bytea not null,
    crc integer not null,
    primary key (key)
) partition by hash (key);

-- What became of transactions whose answer was lost: written by each in its own commit, or, with
-- landed = false, by who asks, which keeps it from landing. Swept after ten minutes.
create table throughline.outcome (
    id bigint not null,
    landed boolean not null,
    at timestamptz not null default now(),
    primary key (id)
) with (
    autovacuum_vacuum_scale_factor = 0,
    autovacuum_vacuum_threshold = 20000,
    autovacuum_vacuum_insert_scale_factor = 0,
    autovacuum_vacuum_insert_threshold = 100000,
    autovacuum_vacuum_cost_delay = 0,
    autovacuum_analyze_scale_factor = 0,
    autovacuum_analyze_threshold = 100000
);
create index outcome_at on throughline.outcome using brin (at);

-- Defaults would let a table that is written and emptied all the time grow without end, and a
-- partitioned table's settings do not reach its leaves. Most new versions of a row find room on its
-- own page; one that does not is put where a clean-up has noted room, or at the end of the table.
-- So a small table that is written all the time is cleaned up each time that the server looks
-- (autovacuum_naptime), a large one once for each fiftieth of it. Values are small or compressed
-- already.
do $$
begin
    for leaf in 0..7 loop
        execute format(
            'create table throughline.record_%s partition of throughline.record
             for values with (modulus 8, remainder %s)
             with (
                fillfactor = 80,
                autovacuum_vacuum_scale_factor = 0.02,
                autovacuum_vacuum_threshold = 500,
                autovacuum_vacuum_insert_scale_factor = 0,
                autovacuum_vacuum_insert_threshold = 100000,
                autovacuum_vacuum_cost_delay = 0,
                autovacuum_analyze_scale_factor = 0,
                autovacuum_analyze_threshold = 100000,
                toast.autovacuum_vacuum_scale_factor = 0.02,
                toast.autovacuum_vacuum_threshold = 500,
                toast.autovacuum_vacuum_cost_delay = 0
             )', leaf, leaf);
        execute format(
            'alter table throughline.record_%s alter column value set storage external', leaf);
    end loop;
end
$$;
