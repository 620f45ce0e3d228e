"""What a site is: its columns, step, calendar, time zone and limits; the table of sites; the arithmetic of steps."""
