-- Time to close in seconds, by {by}: from a case's opening to its Done, dated by the Done. A case
-- reopened by hand has one: its last, and none while it is open again. By member: the responsible.
SELECT
    {by:Identifier} AS key,
    count() AS measured,
    avg(assumeNotNull(seconds_to_close)) AS average,
    quantileExactInclusive(0.5)(assumeNotNull(seconds_to_close)) AS median,
    quantileExactInclusive(0.9)(assumeNotNull(seconds_to_close)) AS p90
FROM cases
WHERE workspace = {workspace:String}
    AND isNotNull(seconds_to_close)
    AND closed_at >= {from:DateTime64(6, 'UTC')}
    AND closed_at < {to:DateTime64(6, 'UTC')}
    AND ({every_location:Bool} OR location IN {locations:Array(String)})
    AND ({every_group:Bool} OR isNull(`group`) OR has({groups:Array(String)}, assumeNotNull(`group`)))
GROUP BY key
