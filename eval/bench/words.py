"""Word lists that the synthetic articles are made of. All names of places and organisations are invented."""

from __future__ import annotations

TOWN_HEADS = (
    "Alder Ash Barrow Beck Birch Black Bram Briar Brook Burn Calder Carr Clay Copper Cross Dun Elder Elm Fair Fern "
    "Fox Gran Hallow Harrow Hart Haw Hazel Holm Keld Kirk Lang Lark Lin Mar Mill Moss Nor Oak Otter Penn Raven Red "
    "Row Rush Salt Sed Shel Silver Stan Stone Swan Tam Thorn Wal Wen Wester Whit Wil Win Wood Yar"
).split()

TOWN_TAILS = (
    "borough bourne bridge burgh bury by combe cote dale den don field ford gate ham haven head hurst ley low mere "
    "mouth over port sea shaw stead stow thorpe ton wall water well wick worth"
).split()

TOWN_QUALIFIERS = ("", "Upper", "Lower", "Old", "New", "Great", "Little", "East", "West")

FIRST_NAMES = (
    "Ada Amir Anna Anton Aisha Bela Bruno Carla Chidi Clara Daniel Dara Dorota Edith Elias Emeka Esra Farah Felix "
    "Gita Greta Hana Hugo Ida Ilse Imran Ines Ivan Jana Jonas Joy Kamal Karin Kofi Lars Leila Lena Luca Mara Marek "
    "Mei Milan Mina Nadia Nils Noor Olga Omar Otto Paula Pavel Petra Ravi Rosa Ruth Samir Sara Sofia Sven Tariq "
    "Tessa Tomas Uma Vera Victor Wanda Yusuf Zara Zoe"
).split()

LAST_NAMES = (
    "Abara Adler Akhtar Almeida Bakker Banerjee Berg Blom Boateng Brandt Castell Cerny Chaudhry Dahl Desai Duarte "
    "Eklund Engel Farkas Ferrer Fischer Gallo Gerber Grant Haas Haddad Hale Hansen Holub Ibarra Iversen Jansen "
    "Kaplan Keller Khan Kovacs Kruse Lange Lindqvist Lowe Maier Malik Marsh Mbeki Mensah Moreau Nagy Nakata Novak "
    "Okafor Olsen Osei Patel Pereira Popov Quist Rahman Reyes Roth Sandoval Sato Schwarz Silva Sorensen Tanaka "
    "Thorne Ueda Vance Varga Vogel Weir Winter Yilmaz Zeman Ziegler"
).split()

STREETS = (
    "Market Street|Station Road|Harbour Lane|Mill Lane|Church Street|Chapel Hill|Canal Street|Orchard Road|"
    "Foundry Road|Bridge Street|Castle Street|School Lane|Quarry Road|Park Avenue|King Street|Ferry Road|"
    "Garden Street|Hill Road|Wharf Street|North Parade|Abbey Road|Tannery Lane|Weaver Street|Victoria Square"
).split("|")

RIVERS = "Aller|Brent|Corra|Derrow|Ebble|Fenn|Glean|Isen|Lodder|Mease|Nidd|Orle|Rother|Sarn|Tarrow|Wenn".split("|")

FIRMS = (
    "Halden Works|Brede Lines|Norcott Engineering|Pell and Sons|Marlow Timber|Castor Energy|Tidewell|Kestrel Rail|"
    "Ambler Foods|Greyfriars Partners|Orrin Systems|Sallow Glass|Denholm Steel|Fairlie Textiles|Quayside Holdings|"
    "Rook Street Studios|Penrow Water|Lantern Media|Hexley Motors|Verrin Chemicals"
).split("|")

BODIES = (
    "the town council|the regional assembly|the county audit office|the chamber of commerce|the residents' association|"
    "the heritage trust|the transport authority|the public health office|the water board|the university|"
    "the farmers' union|the harbour authority|the teachers' association|the chamber of crafts"
).split("|")

ROLES = (
    "mayor|deputy mayor|council leader|project manager|head of planning|treasurer|chief engineer|spokeswoman|"
    "director of works|chair of the committee|ombudsman|head of the regional office"
).split("|")

SOURCES = (
    "County Herald|Morning Courier|The Valley Post|Coastal Gazette|The Evening Ledger|Northern Record|"
    "The Weekly Observer|Borough Times"
).split("|")

MONTHS = ("January February March April May June July August September October November December").split()

WEEKDAYS = "Monday Tuesday Wednesday Thursday Friday Saturday".split()
