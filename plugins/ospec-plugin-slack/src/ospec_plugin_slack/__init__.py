"""Notices of ospec in Slack."""
