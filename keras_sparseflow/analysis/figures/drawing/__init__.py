"""Means of drawing: a grid of panels, a few marks, their colours, their scales, and figures as files and markup."""
