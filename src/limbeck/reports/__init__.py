"""What a run says to its reader, from its folder alone: a page that opens without a network, tables for a terminal."""

from limbeck.reports._overview import write_overview
from limbeck.reports._page import write_report
from limbeck.reports.terminal import gap_table, results_table

__all__ = ["gap_table", "results_table", "write_overview", "write_report"]
