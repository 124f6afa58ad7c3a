-- What is known of each case, each answer and each customer's turn. No names, no message text.
-- Every table tolerates the same event again, in any order: a case keeps the state of its highest
-- sequence, and an answer or a turn is one row for one event id. Read through FINAL or the views.

-- A case after the last of its events. `sequence` is the conversation's version.
CREATE TABLE IF NOT EXISTS case_versions
(
    workspace         String,
    case_id           String,
    sequence          UInt64,
    conversation_id   String,
    source_id         String,
    channel           LowCardinality(String),
    location_id       String,
    group_id          Nullable(String),
    customer_id       String,
    state             LowCardinality(String) COMMENT 'routing, new, active or done',
    opened_at         DateTime64(6, 'UTC'),
    opened_by         LowCardinality(String) COMMENT 'customer or team',
    is_repeat         Bool,
    responsible       Nullable(String),
    waiting_since     Nullable(DateTime64(6, 'UTC')) COMMENT 'first message that nobody answered',
    first_response_at Nullable(DateTime64(6, 'UTC')),
    closed_at         Nullable(DateTime64(6, 'UTC')),
    closed_by         Nullable(String)
)
ENGINE = ReplacingMergeTree(sequence)
ORDER BY (workspace, case_id)
SETTINGS non_replicated_deduplication_window = 1000;

-- The state a case came to by each event of its life, for the state as of an instant.
CREATE TABLE IF NOT EXISTS case_states
(
    workspace String,
    event_id  String,
    case_id   String,
    sequence  UInt64,
    state     LowCardinality(String),
    at        DateTime64(6, 'UTC') COMMENT 'when it happened'
)
ENGINE = ReplacingMergeTree
ORDER BY (workspace, event_id)
SETTINGS non_replicated_deduplication_window = 1000;

-- A customer began to wait.
CREATE TABLE IF NOT EXISTS customer_turns
(
    workspace   String,
    event_id    String,
    case_id     String,
    sequence    UInt64,
    source_id   String,
    channel     LowCardinality(String),
    location_id String,
    group_id    Nullable(String),
    started_at  DateTime64(6, 'UTC')
)
ENGINE = ReplacingMergeTree
ORDER BY (workspace, event_id)
SETTINGS non_replicated_deduplication_window = 1000;

-- The team answered a turn. `member_id` wrote the answer, `responsible` had the case then.
CREATE TABLE IF NOT EXISTS team_responses
(
    workspace     String,
    event_id      String,
    case_id       String,
    sequence      UInt64,
    source_id     String,
    channel       LowCardinality(String),
    location_id   String,
    group_id      Nullable(String),
    member_id     Nullable(String) COMMENT 'null: written with the platform''s own application',
    responsible   Nullable(String),
    waiting_since DateTime64(6, 'UTC'),
    answered_at   DateTime64(6, 'UTC'),
    is_first      Bool
)
ENGINE = ReplacingMergeTree
ORDER BY (workspace, event_id)
SETTINGS non_replicated_deduplication_window = 1000;
