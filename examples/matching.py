"""Students and schools (Gale and Shapley, 1962): two roles that talk every round, point to point, which is what MPI is for.

    regrow run examples/matching.py:Matching students.txt --set seats=30
    python examples/matching.py           # 600 students, 12 schools

A line of the text is a student: name, grade, and the schools that they would like, the best first. Every round each student who has no
place asks the next school of their list; each school keeps the best of those who ask and of those whom it has, and refuses the others,
also some that it took before. When nobody is refused, no student and school would both rather have each other than what they have.
"""

from __future__ import annotations

import random
import tempfile
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from regrow import Data, Partition, Program, Role, Roles, strings
from regrow.errors import DataError


@dataclass(frozen=True)
class Matching(Program):
    """Give every student the best school that will have them."""

    seats: int = 50
    rounds: int = 10_000

    def roles(self, data: Data) -> Roles:
        """Students ask in this round; schools answer, and students hear it in the next."""
        return Roles(
            self.rounds,
            students=Role(data.partitions, data="text", reads={"schools": -1}),
            schools=Role(1, reads={"students": 0}),
        )

    def students(self, part: Partition) -> None:
        """Whoever was refused asks the next school of their list. State: how far each has come in theirs."""
        lists = [line.split() for line in part.fixed.lines()]
        for number, fields in enumerate(lists, int(part.fixed["source"][1])):
            if len(fields) < 3 or not fields[1].isdecimal():
                raise DataError(f"{part.fixed['file'][0]}, line {number:,}: no student", "name, grade, and at least one school")
        if part.round == 0:
            asking, choice = list(range(len(lists))), np.zeros(len(lists), np.int64)
        else:
            asking, choice = [int(who) for message in part.inbox("schools") for who in message["who"]], part.state["choice"].copy()
            choice[asking] += 1
        asking = [who for who in asking if 2 + choice[who] < len(lists[who])]  # the others have asked everybody
        part.keep(choice=choice)
        part.send(
            "schools",
            0,
            who=np.array(asking, np.int64),
            name=strings(lists[who][0] for who in asking),
            grade=np.array([int(lists[who][1]) for who in asking], np.int64),
            choice=choice[asking],
            school=strings(lists[who][2 + choice[who]] for who in asking),
        )

    def schools(self, part: Partition) -> None:
        """Keep the best of each school, and answer the partitions of the others. State: who has a place."""
        asked = [part.state] if part.state else []
        asked += [{**message, "sender": np.full(len(message["who"]), message.sender)} for message in part.inbox("students")]
        columns = ("school", "grade", "sender", "who", "name", "choice")
        rows = [row for some in asked for row in zip(*(some[column] for column in columns), strict=True)]
        rows.sort(key=lambda row: (row[0], -row[1], row[2], row[3]))  # best grades first; of equals, who stands first in the text
        taken: dict[str, int] = defaultdict(int)
        placed, refused = [], defaultdict(list)
        for row in rows:
            taken[row[0]] += 1
            if taken[row[0]] <= self.seats:
                placed.append(row)
            else:
                refused[int(row[2])].append(int(row[3]))
        for sender, who in refused.items():
            part.send("students", sender, who=who)
        school, grade, sender, who, name, choice = zip(*placed, strict=True)
        part.keep(school=strings(school), grade=grade, sender=sender, who=who, name=strings(name), choice=choice)
        part.result(school=strings(school), grade=grade, name=strings(name), choice=choice)
        part.metric("refused", sum(map(len, refused.values())))
        if not refused:
            part.stop()

    def report(self, model: Mapping[str, Any]) -> str:
        """Each school with how many it took, and down to which grade; and who got what they wanted."""
        grades: dict[str, list[int]] = defaultdict(list)
        for school, grade in zip(model["schools.school"], model["schools.grade"].tolist(), strict=True):
            grades[school].append(grade)
        choice = model["schools.choice"]
        lines = [f"{school}\t{len(own)} students, grades {max(own)} to {min(own)}" for school, own in sorted(grades.items())]
        wishes = ", ".join(f"{int((choice == place).sum())} their wish {place + 1}" for place in range(3))
        return "\n".join([*lines, f"{len(choice):,} students have a place; {wishes}"])


def main() -> None:
    """Students all want the same few schools first, as students do."""
    chance = random.Random(1)
    schools = [f"school-{letter}" for letter in "abcdefghijkl"]
    lines = []
    for number in range(600):
        wish = sorted(schools, key=lambda school: schools.index(school) + chance.gauss(0, 3))
        lines.append(f"student-{number:03} {min(100, max(0, round(chance.gauss(60, 18))))} {' '.join(wish)}")
    with tempfile.TemporaryDirectory() as folder:
        run = run_twice(Matching(seats=50), write_parts(folder, lines, 4))
    print(f"they talked for {run.summary['rounds']} rounds")


if __name__ == "__main__":
    from twice import run_twice, write_parts

    main()
