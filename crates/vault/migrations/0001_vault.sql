-- Off-chain records, with the commitments that batches put on the chain.
CREATE TABLE vault_records (
    device     bytea    NOT NULL CHECK (octet_length(device) = 32),
    time_ms    bigint   NOT NULL CHECK (time_ms >= 0),
    grade      smallint NOT NULL CHECK (grade BETWEEN 0 AND 255),
    content    bytea    NOT NULL CHECK (octet_length(content) <= 16384),
    blind      bytea    NOT NULL CHECK (octet_length(blind) = 32),
    commitment bytea    NOT NULL CHECK (octet_length(commitment) = 32),
    batch      bytea    NOT NULL CHECK (octet_length(batch) = 32),
    PRIMARY KEY (device, time_ms)
);

-- manifest: device (32) || time (8) || commitment (32), for each record of the batch in order.
CREATE TABLE vault_batches (
    root     bytea   PRIMARY KEY CHECK (octet_length(root) = 32),
    manifest bytea   NOT NULL,
    pending  boolean NOT NULL DEFAULT true
);
CREATE INDEX vault_batches_pending ON vault_batches (root) WHERE pending;

-- Digests do not compress: do not try.
ALTER TABLE vault_batches ALTER manifest SET STORAGE EXTERNAL;

CREATE TABLE vault_evidence (
    id    bytea PRIMARY KEY CHECK (octet_length(id) = 32),
    bytes bytea NOT NULL
);

-- Audited files: every edition of every block, once.
CREATE TABLE vault_blocks (
    file    bytea  NOT NULL CHECK (octet_length(file) = 32),
    id      bigint NOT NULL CHECK (id >= 0),
    edition bytea  NOT NULL CHECK (octet_length(edition) = 16),
    tag     bytea  NOT NULL CHECK (octet_length(tag) = 48),
    digest  bytea  NOT NULL CHECK (octet_length(digest) = 32),
    bytes   bytea  NOT NULL,
    PRIMARY KEY (file, id, edition)
);
-- Blocks are encrypted, so they do not compress either.
ALTER TABLE vault_blocks ALTER bytes SET STORAGE EXTERNAL;

CREATE TABLE vault_versions (
    file   bytea  NOT NULL CHECK (octet_length(file) = 32),
    number bigint NOT NULL CHECK (number >= 1),
    digest bytea  NOT NULL CHECK (octet_length(digest) = 32),
    record bytea  NOT NULL,
    PRIMARY KEY (file, number)
);

-- What each version changed; edition is empty where the block was deleted.
CREATE TABLE vault_index (
    file    bytea  NOT NULL,
    id      bigint NOT NULL CHECK (id >= 0),
    version bigint NOT NULL,
    edition bytea  NOT NULL CHECK (octet_length(edition) IN (0, 16)),
    PRIMARY KEY (file, id, version)
);
