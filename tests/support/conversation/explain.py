"""How the store answers a query."""

from typing import Any


def indexes_of(plan: dict[str, Any]) -> set[str]:
    if plan["stage"] in ("IDHACK", "CLUSTERED_IXSCAN"):
        return {"_id_"}
    if plan["stage"] == "IXSCAN":
        return {str(plan["indexName"])}
    inputs = [*plan.get("inputStages", ()), *([plan["inputStage"]] if "inputStage" in plan else [])]
    return set[str]().union(*map(indexes_of, inputs)) or {f"none: {plan}"}
