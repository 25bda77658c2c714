"""Grades: what a component is by declaration, what the findings leave of it, and the gates."""

from dokja.decisions.grades.components import ComponentGrade, Status
from dokja.decisions.grades.gates import gate_rulings
from dokja.decisions.grades.models import (
    Difference,
    ModelGrade,
    UseVerdict,
    grade_model,
    grade_models,
)
from dokja.decisions.grades.scale import GradeRange, declared_grade

__all__ = [
    "ComponentGrade",
    "Difference",
    "GradeRange",
    "ModelGrade",
    "Status",
    "UseVerdict",
    "declared_grade",
    "gate_rulings",
    "grade_model",
    "grade_models",
]
