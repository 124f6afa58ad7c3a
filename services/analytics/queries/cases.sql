-- Counts of the cases opened in the period, by {by}.
-- all: opened in it. responded: the team answered at least once. unresponded: the customer's last
-- turn is unanswered. assigned: has a responsible. open, closed: state at the period's end.
SELECT
    {by:Identifier} AS key,
    count() AS `all`,
    countIf(is_responded) AS responded,
    countIf(is_unresponded) AS unresponded,
    countIf(is_assigned) AS assigned,
    countIf(state_at_end != 'done') AS open,
    countIf(state_at_end = 'done') AS closed
FROM cases
LEFT JOIN
(
    SELECT case_id, argMax(state, sequence) AS state_at_end
    FROM case_states
    WHERE workspace = {workspace:String} AND at < {to:DateTime64(6, 'UTC')}
    GROUP BY case_id
) AS ends USING (case_id)
WHERE workspace = {workspace:String}
    AND opened_at >= {from:DateTime64(6, 'UTC')}
    AND opened_at < {to:DateTime64(6, 'UTC')}
    AND ({every_location:Bool} OR location IN {locations:Array(String)})
    AND ({every_group:Bool} OR isNull(`group`) OR has({groups:Array(String)}, assumeNotNull(`group`)))
GROUP BY key
