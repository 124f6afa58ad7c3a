-- Time to respond in seconds, by {by}: from the first unanswered message of a customer's turn to
-- the first human answer, dated by the answer; by member: credited to who wrote it.
SELECT
    {by:Identifier} AS key,
    count() AS measured,
    avg(seconds_to_respond) AS average,
    quantileExactInclusive(0.5)(seconds_to_respond) AS median,
    quantileExactInclusive(0.9)(seconds_to_respond) AS p90
FROM responses
WHERE workspace = {workspace:String}
    AND answered_at >= {from:DateTime64(6, 'UTC')}
    AND answered_at < {to:DateTime64(6, 'UTC')}
    AND ({every_location:Bool} OR location IN {locations:Array(String)})
    AND ({every_group:Bool} OR isNull(`group`) OR has({groups:Array(String)}, assumeNotNull(`group`)))
GROUP BY key
