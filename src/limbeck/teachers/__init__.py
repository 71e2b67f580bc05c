"""What knows the source: a batch in, knowledge out. One file, one kind of teacher."""

from limbeck.teachers._teacher import Teacher

__all__ = ["Teacher"]
