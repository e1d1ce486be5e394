"""The fields of KubeRay's RayJob (ray.io/v1) and of a pod that deploy/ uses, with what they may be: from the API reference of each."""

from __future__ import annotations

from typing import Any

TEXT: dict[str, Any] = {"type": "string"}
COUNT: dict[str, Any] = {"type": "integer", "minimum": 0}
TRUTH: dict[str, Any] = {"type": "boolean"}
TEXTS: dict[str, Any] = {"type": "object", "additionalProperties": TEXT}
QUANTITIES: dict[str, Any] = {
    "type": "object",
    "additionalProperties": {"type": ["string", "integer"], "pattern": r"^[0-9]+(\.[0-9]+)?(m|k|Ki|M|Mi|G|Gi|T|Ti)?$"},
}


def record(required: list[str] | None = None, **fields: Any) -> dict[str, Any]:
    """These fields and no others."""
    return {"type": "object", "properties": fields, "required": required or [], "additionalProperties": False}


def several(of: dict[str, Any]) -> dict[str, Any]:
    """A list."""
    return {"type": "array", "items": of}


CONTAINER = record(
    ["name", "image"],
    name=TEXT,
    image=TEXT,
    imagePullPolicy={"enum": ["Always", "IfNotPresent", "Never"]},
    command=several(TEXT),
    args=several(TEXT),
    env=several(record(["name"], name=TEXT, value=TEXT, valueFrom={"type": "object"})),
    envFrom=several(record(secretRef=record(["name"], name=TEXT), configMapRef=record(["name"], name=TEXT))),
    ports=several(record(["containerPort"], containerPort={"type": "integer", "minimum": 1, "maximum": 65535}, name=TEXT)),
    resources=record(requests=QUANTITIES, limits=QUANTITIES),
    volumeMounts=several(record(["name", "mountPath"], name=TEXT, mountPath=TEXT)),
)
TOLERATION = record(
    key=TEXT,
    operator={"enum": ["Exists", "Equal"]},
    value=TEXT,
    effect={"enum": ["NoSchedule", "PreferNoSchedule", "NoExecute"]},
    tolerationSeconds=COUNT,
)
POD = record(
    ["containers"],
    containers={**several(CONTAINER), "minItems": 1},
    nodeSelector=TEXTS,
    tolerations=several(TOLERATION),
    terminationGracePeriodSeconds=COUNT,
    serviceAccountName=TEXT,
    volumes=several({"type": "object"}),
)
TEMPLATE = record(["spec"], metadata=record(labels=TEXTS, annotations=TEXTS), spec=POD)
HEAD = record(
    ["template"],
    serviceType={"enum": ["ClusterIP", "NodePort", "LoadBalancer"]},
    rayStartParams=TEXTS,
    template=TEMPLATE,
    enableIngress=TRUTH,
)
GROUP = record(
    ["groupName", "template"],
    groupName=TEXT,
    replicas=COUNT,
    minReplicas=COUNT,
    maxReplicas=COUNT,
    idleTimeoutSeconds=COUNT,
    numOfHosts={"type": "integer", "minimum": 1},
    rayStartParams=TEXTS,
    suspend=TRUTH,
    template=TEMPLATE,
)
CLUSTER = record(
    ["headGroupSpec"],
    rayVersion=TEXT,
    enableInTreeAutoscaling=TRUTH,
    autoscalerOptions=record(
        upscalingMode={"enum": ["Default", "Aggressive", "Conservative"]},
        idleTimeoutSeconds=COUNT,
        image=TEXT,
        imagePullPolicy=TEXT,
        resources=record(requests=QUANTITIES, limits=QUANTITIES),
    ),
    authOptions=record(mode={"enum": ["disabled", "token"]}),
    gcsFaultToleranceOptions={"type": "object"},
    headGroupSpec=HEAD,
    workerGroupSpecs=several(GROUP),
)
JOB = record(
    ["apiVersion", "kind", "metadata", "spec"],
    apiVersion={"const": "ray.io/v1"},
    kind={"const": "RayJob"},
    metadata=record(["name"], name={"type": "string", "pattern": "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"}, labels=TEXTS, annotations=TEXTS),
    spec=record(
        ["entrypoint"],
        entrypoint=TEXT,
        entrypointNumCpus={"type": "number", "minimum": 0},
        entrypointNumGpus={"type": "number", "minimum": 0},
        entrypointResources=TEXT,
        runtimeEnvYAML=TEXT,
        submissionMode={"enum": ["K8sJobMode", "HTTPMode", "InteractiveMode", "SidecarMode"]},
        backoffLimit=COUNT,
        activeDeadlineSeconds={"type": "integer", "minimum": 1},
        shutdownAfterJobFinishes=TRUTH,
        ttlSecondsAfterFinished=COUNT,
        suspend=TRUTH,
        rayClusterSpec=CLUSTER,
    ),
)
