"""Units, currencies, months and letters with English names."""

from __future__ import annotations

import re

MONTHS = (
    "January February March April May June July August September October November December"
).split()

_UNITS = """
km kilometer kilometers|m meter meters|cm centimeter centimeters|mm millimeter millimeters
ft foot feet|mi mile miles|kg kilogram kilograms|g gram grams|mg milligram milligrams
lb pound pounds|lbs pound pounds|oz ounce ounces|L liter liters|l liter liters
ml milliliter milliliters|mL milliliter milliliters|tbsp tablespoon tablespoons
tsp teaspoon teaspoons|h hour hours|hr hour hours|hrs hour hours|min minute minutes
mins minute minutes|s second seconds|sec second seconds|secs second seconds
ms millisecond milliseconds|Hz hertz hertz|kHz kilohertz kilohertz|MHz megahertz megahertz
GHz gigahertz gigahertz|dB decibel decibels|kW kilowatt kilowatts|W watt watts|V volt volts
kbps kilobits_per_second kilobits_per_second|Mbps megabits_per_second megabits_per_second
km/h kilometer_per_hour kilometers_per_hour|m/s meter_per_second meters_per_second
mph mile_per_hour miles_per_hour|m² square_meter square_meters|m³ cubic_meter cubic_meters
km² square_kilometer square_kilometers|cm² square_centimeter square_centimeters
cm³ cubic_centimeter cubic_centimeters|m2 square_meter square_meters|m3 cubic_meter cubic_meters
km2 square_kilometer square_kilometers|cm2 square_centimeter square_centimeters
cm3 cubic_centimeter cubic_centimeters|sqft square_foot square_feet|sq_ft square_foot square_feet
sq._ft. square_foot square_feet|m/s² meter_per_second_squared meters_per_second_squared
°C degree_celsius degrees_celsius|°F degree_fahrenheit degrees_fahrenheit
℃ degree_celsius degrees_celsius|℉ degree_fahrenheit degrees_fahrenheit
"""
UNITS: dict[str, tuple[str, str]] = {}
for _entry in _UNITS.replace("\n", "|").split("|"):
    if _entry:
        _name, _one, _many = _entry.split()
        UNITS[_name.replace("_", " ")] = (_one.replace("_", " "), _many.replace("_", " "))
PATTERN = "(?:" + "|".join(sorted(map(re.escape, UNITS), key=len, reverse=True)) + ")"

# one, many, one part, many parts
MONEY = {
    "$": ("dollar", "dollars", "cent", "cents"),
    "£": ("pound", "pounds", "penny", "pence"),
    "€": ("euro", "euros", "cent", "cents"),
    "¥": ("yuan", "yuan", "", ""),
    "￥": ("yuan", "yuan", "", ""),
    "₩": ("won", "won", "", ""),
    "₹": ("rupee", "rupees", "", ""),
}
SIGNS = "".join(MONEY)
# Whose dollars: HK$100.
COUNTRIES = {
    "US": "",
    "AU": "Australian ",
    "A": "Australian ",
    "CA": "Canadian ",
    "C": "Canadian ",
    "HK": "Hong Kong ",
    "NZ": "New Zealand ",
    "NT": "New Taiwan ",
    "SG": "Singapore ",
    "S": "Singapore ",
}
SCALES = {"k": "thousand", "m": "million", "b": "billion"}

_GREEK_NAMES = (
    "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi omicron pi rho sigma "
    "tau upsilon phi chi psi omega"
).split()
GREEK = dict(zip("αβγδεζηθικλμνξοπρστυφχψω", _GREEK_NAMES))
GREEK |= {letter.upper(): name for letter, name in GREEK.items()} | {"ς": "sigma"}

# A full stop before these is heard: main.py, report.pdf.
FILE_ENDINGS = "txt|py|pdf|docx?|xlsx?|pptx?|jpe?g|png|gif|mp3|mp4|wav|zip|exe|json|csv|html?|md|js"
