-- What the figures are made of. The columns by which a figure can be broken down have the same
-- names in each view: workspace, member, source, channel, group, location.

-- One row for a case, as it is now. `member` is the responsible.
-- A case closed without an answer is neither responded nor unresponded.
CREATE VIEW IF NOT EXISTS cases AS
SELECT
    workspace,
    case_id,
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
    isNotNull(first_response_at) AS is_responded,
    isNotNull(waiting_since) AND state != 'done' AS is_unresponded,
    isNotNull(responsible) AS is_assigned,
    if(state = 'done', dateDiff('microsecond', opened_at, closed_at) / 1e6, NULL)
        AS seconds_to_close
FROM case_versions FINAL;

-- One row for an answer. `member` wrote it; the group is the one the case was in.
CREATE VIEW IF NOT EXISTS responses AS
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
FROM team_responses FINAL;

-- One row for a customer's turn. `member` is who was responsible when it was answered or, while
-- it is not, who is responsible now. A turn is answered when the next thing in its case after it
-- is an answer: one that the case was closed over, or that came before, does not count.
CREATE VIEW IF NOT EXISTS turns AS
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
        UNION ALL
        SELECT
            workspace, event_id, case_id, sequence, source_id, channel, group_id, location_id,
            answered_at AS at, true AS is_response, responsible
        FROM team_responses FINAL
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
