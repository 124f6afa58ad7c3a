-- Customers' turns that began in the period and how many of them were answered, by {by}; by
-- member: while responsible (see the view).
SELECT
    {by:Identifier} AS key,
    count() AS turns,
    countIf(is_answered) AS answered
FROM turns
WHERE workspace = {workspace:String}
    AND started_at >= {from:DateTime64(6, 'UTC')}
    AND started_at < {to:DateTime64(6, 'UTC')}
    AND ({every_location:Bool} OR location IN {locations:Array(String)})
    AND ({every_group:Bool} OR isNull(`group`) OR has({groups:Array(String)}, assumeNotNull(`group`)))
GROUP BY key
