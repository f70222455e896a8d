"""Notices of ospec as PagerDuty incidents."""
