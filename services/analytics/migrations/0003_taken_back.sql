-- An answer that did not arrive is none: what was measured by it is withdrawn, and measured anew.
-- As in all tables the same event may come again, and in any order: nothing is changed or deleted.

-- `stated_by` is the sequence of the event that says so; `sequence` stays the answer's own place.
ALTER TABLE team_responses ADD COLUMN IF NOT EXISTS stated_by UInt64 DEFAULT sequence;

-- What the event at that sequence of the case's conversation said of a turn or an answer.
CREATE TABLE IF NOT EXISTS withdrawn
(
    workspace String,
    case_id   String,
    stated_by UInt64
)
ENGINE = ReplacingMergeTree
ORDER BY (workspace, case_id, stated_by)
SETTINGS non_replicated_deduplication_window = 1000;

-- When the first answer of a case was, once the one before was taken back: the case may be over, and
-- its last version was written long before.
CREATE TABLE IF NOT EXISTS first_responses_taken_back
(
    workspace         String,
    case_id           String,
    sequence          UInt64,
    first_response_at Nullable(DateTime64(6, 'UTC'))
)
ENGINE = ReplacingMergeTree(sequence)
ORDER BY (workspace, case_id)
SETTINGS non_replicated_deduplication_window = 1000;

CREATE OR REPLACE VIEW cases AS
SELECT
    versions.workspace AS workspace,
    versions.case_id AS case_id,
    conversation_id,
    customer_id,
    responsible AS member,
    source_id AS source,
    channel,
    group_id AS `group`,
    location_id AS location,
    state,
    opened_at,
    opened_by,
    is_repeat,
    closed_at,
    closed_by,
    isNotNull(if(taken_back.sequence > versions.sequence,
        taken_back.first_response_at, versions.first_response_at)) AS is_responded,
    isNotNull(waiting_since) AND state != 'done' AS is_unresponded,
    isNotNull(responsible) AS is_assigned,
    if(state = 'done', dateDiff('microsecond', opened_at, closed_at) / 1e6, NULL)
        AS seconds_to_close
FROM
(
    SELECT * FROM case_versions FINAL
) AS versions
LEFT JOIN
(
    SELECT workspace, case_id, sequence, first_response_at FROM first_responses_taken_back FINAL
) AS taken_back
    ON taken_back.workspace = versions.workspace AND taken_back.case_id = versions.case_id;

CREATE OR REPLACE VIEW responses AS
SELECT
    workspace,
    event_id,
    case_id,
    member_id AS member,
    source_id AS source,
    channel,
    group_id AS `group`,
    location_id AS location,
    answered_at,
    is_first,
    dateDiff('microsecond', waiting_since, answered_at) / 1e6 AS seconds_to_respond
FROM team_responses FINAL
WHERE (workspace, case_id, stated_by) NOT IN (SELECT workspace, case_id, stated_by FROM withdrawn);

CREATE OR REPLACE VIEW turns AS
SELECT
    followed.workspace AS workspace,
    followed.event_id AS event_id,
    followed.case_id AS case_id,
    if(is_answered, followed.next_responsible, current.responsible) AS member,
    followed.source_id AS source,
    followed.channel AS channel,
    followed.group_id AS `group`,
    followed.location_id AS location,
    followed.at AS started_at,
    followed.next_is_response AS is_answered
FROM
(
    SELECT
        *,
        leadInFrame(is_response, 1, false) OVER following AS next_is_response,
        leadInFrame(responsible, 1, NULL) OVER following AS next_responsible
    FROM
    (
        SELECT
            workspace, event_id, case_id, sequence, source_id, channel, group_id, location_id,
            started_at AS at, false AS is_response, CAST(NULL, 'Nullable(String)') AS responsible
        FROM customer_turns FINAL
        WHERE (workspace, case_id, sequence) NOT IN
            (SELECT workspace, case_id, stated_by FROM withdrawn)
        UNION ALL
        SELECT
            workspace, event_id, case_id, sequence, source_id, channel, group_id, location_id,
            answered_at AS at, true AS is_response, responsible
        FROM team_responses FINAL
        WHERE (workspace, case_id, stated_by) NOT IN
            (SELECT workspace, case_id, stated_by FROM withdrawn)
    )
    WINDOW following AS
    (
        PARTITION BY workspace, case_id
        ORDER BY sequence
        ROWS BETWEEN CURRENT ROW AND 1 FOLLOWING
    )
) AS followed
LEFT JOIN
(
    SELECT workspace, case_id, responsible FROM case_versions FINAL
) AS current ON current.workspace = followed.workspace AND current.case_id = followed.case_id
WHERE NOT followed.is_response;
