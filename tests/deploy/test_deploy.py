"""The files in deploy/ say only what those who read them know, and commands that this regrow takes."""

from __future__ import annotations

import json
import re
import shlex
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from deploy.kuberay_schema import JOB

yaml = pytest.importorskip("yaml", reason="comes with Ray")
jsonschema = pytest.importorskip("jsonschema", reason="comes with Ray")
ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"


def read(name: str) -> Any:
    return yaml.safe_load((DEPLOY / name).read_text())


def test_every_field_of_the_rayjob_is_one_of_kuberays() -> None:
    jsonschema.validate(read("kuberay.yaml"), JOB)


def test_a_field_that_kuberay_does_not_know_is_found() -> None:
    job = read("kuberay.yaml")
    job["spec"]["rayClusterSpec"]["workerGroupSpecs"][0]["maxReplica"] = 3
    with pytest.raises(jsonschema.ValidationError, match="maxReplica"):
        jsonschema.validate(job, JOB)


@pytest.mark.skipif(find_spec("ray") is None, reason="the schema is Ray's own")
def test_every_field_of_the_file_for_ray_up_is_one_of_rays() -> None:
    spec = find_spec("ray")
    assert spec is not None
    assert spec.origin is not None
    schema = json.loads((Path(spec.origin).parent / "autoscaler" / "ray-schema.json").read_text())
    jsonschema.validate(read("ray-up.yaml"), schema)


def test_the_coordinator_stands_where_nothing_is_taken_away_and_workers_where_it_is() -> None:
    cluster = read("kuberay.yaml")["spec"]["rayClusterSpec"]
    assert cluster["headGroupSpec"]["rayStartParams"] == {"num-cpus": "0", "labels": "kind=reliable"}
    assert [group["rayStartParams"]["labels"] for group in cluster["workerGroupSpecs"]] == ["kind=spot"]


def test_the_options_in_the_entrypoint_are_options_of_the_commands() -> None:
    script = shlex.split(read("kuberay.yaml")["spec"]["entrypoint"])[2]
    commands = [shlex.split(part) for part in script.split("||")]
    for command in commands:
        assert command[0] == "regrow"
        known = known_options([word for word in command[1:3] if word in ("lda", "train", "resume")])
        for option in (word for word in command if word.startswith("--")):
            assert option in known, f"{option} is no option of {' '.join(command[:3])}"


def known_options(names: list[str]) -> set[str]:
    from typer.main import get_command

    from regrow.cli.app import app

    command: Any = get_command(app)
    for name in names:
        command = command.commands[name]
    return {option for parameter in command.params for option in parameter.opts}


def test_the_versions_of_ray_agree() -> None:
    [pinned] = re.findall(r"^ray==(.*)$", (ROOT / "constraints.txt").read_text(), re.M)
    assert read("kuberay.yaml")["spec"]["rayClusterSpec"]["rayVersion"] == pinned
    assert f"rayproject/ray:{pinned}-" in (DEPLOY / "Dockerfile").read_text()
