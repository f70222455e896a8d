"""Notices of ospec as signed JSON."""
