"""Short articles, and what may and may not be said of them: the table by which the check of support is judged.

A `FAITHFUL` statement says in other words what its article says. An `ALTERED` one was made from such a statement by
the change that its kind names.
"""

from typing import NamedTuple


class Statement(NamedTuple):
    """A statement about an article, and how it was made."""

    article: str
    kind: str
    words: str


ARTICLES = {
    "harbour": """The harbour board of Orlo approved a new pier on Tuesday by seven votes to two. The pier will be 140 metres long. Chair Mira Osei said the work costs 12.5 million crowns. She did not say who pays for it.
Fishermen had asked for a longer pier. The old pier closed in March 2019 after a storm. “We would rather have a crane,” said Pavel Ilic of the fishing guild. The board rejected his proposal.
The rate of harbour duty falls from 4.25 percent to 4 percent in June. About one thousand two hundred boats pay it.""",
    "mill": """The mill at Tamsel makes flour for 30 bakeries. Its owner Ada Brandt sued the town of Orlo over a water right. The court in Saar decided for the town. Brandt wants to appeal. The mill was sold in 2021 for $3 million.""",
    "bank": """The Bank of Kervia raised its key rate on Thursday by a quarter of a percentage point to 3.75 percent. It was the fourth increase in a row. Governor Tomas Rell said that inflation had fallen to 5.1 percent in August, but was still above the goal of 2 percent.
The bank expects the economy to grow by 1.2 percent next year. In June it had expected 1.8 percent. Two of the nine members of the council, Irena Vos and Bram Holt, voted against the increase.
Exporters criticised the decision. The Chamber of Industry, which speaks for 14,000 companies, warned that up to 30,000 jobs could be lost. The krona rose by 0.6 percent against the euro.""",
    "match": """Norwick Rovers beat Tamsel United 3-1 in the final of the Lake Cup on Saturday. Before 18,400 spectators Lena Park scored twice for Rovers. Ida Brunn hit the third goal in the 88th minute.
United had led at half-time through a penalty by Rosa Kimm. Their captain, Joan Ferro, was sent off after 61 minutes. Rovers coach Elin Sand praised her team. “We never stopped running,” she said.
It is the first title for Rovers since 2008. United, who won the cup in 2023 and 2024, have to wait. The club will not replace coach Marta Dill, its president said on Sunday.""",
    "fire": """A fire destroyed a warehouse of the furniture maker Holm & Sons in Varnby on Monday night. Nobody was hurt. About 120 firefighters fought the flames for six hours. The police evacuated 45 residents from neighbouring houses; they returned on Tuesday morning.
The cause is not yet known. Police do not rule out arson. The company puts the damage at eight million euros. The warehouse had no sprinklers, although the town had demanded them in 2022.
Holm & Sons employs 310 people in Varnby. None of them will be dismissed, managing director Erik Holm promised. Production in the neighbouring factory resumed on Wednesday.""",
    "telescope": """Astronomers of the observatory on Mount Kerro have found a planet that orbits the star Velin 9. It is about twice as heavy as the Earth and needs 19 days for one orbit. The planet could have water, but no instrument can prove that today.
The discovery was published in the journal Sky Letters. Its lead author, Lena Osei of the University of Saar, had searched for seven years. The telescope that was used has a mirror of 2 metres and was paid for by the Tolland Foundation.
Other researchers are cautious. “One measurement is not enough,” said Hugo Prandl, who was not part of the team. A second observation is planned for May 2026.""",
    "ministers": """Prime Minister Dana Okoro dismissed Transport Minister Felix Marr on Friday. She accused him of hiding a report on unsafe bridges. Marr denied this. His successor is Ruth Calder, until now mayor of Brackwater.
The report names 17 bridges, 4 of which were closed in October. The opposition leader, Simon Teague, demanded a parliamentary inquiry. Okoro's Green Union and the Farmers' Party hold 61 of 120 seats.
The Farmers' Party supported the dismissal. Its chairwoman, Hanna Lund, had called for it in September. Parliament votes on the budget of the ministry, 2.4 billion crowns, on 12 November.""",
    "vaccine": """The health agency of Saar approved a vaccine against lake fever for adults on 3 April 2025. It is not approved for children under 12. In a study with 9,800 volunteers it prevented 78 percent of infections. Serious side effects were rare.
The maker, Callum Biotech, sells a dose for 40 euros. Health insurers will pay for people over 60. The company had withdrawn an earlier vaccine in 2020 because it protected too few people.
Lake fever is carried by ticks. In Saar 212 people fell ill last year, more than in any year before. Doctor Amal Reyes of the Saar clinic advises hikers to get vaccinated.""",
    "council": """The mayor's brother, Paul Lind, resigned from the council of Orvalt on Monday. Norwick council member Greta Hale asked him to stay. Okoro's friend Ada Sorel and the lawyer Tim Brask sold the theatre.
Former judge Nils Aden opened the meeting. The council rejected a plan to close the library. Critics of Mayor Lind accuse the treasurer of waste. He stopped the builder Karl Venn from leaving.
Between 20 and 30 people protested. Hale told the paper that Aden had voted twice. The theatre bridge tax rose to 4 crowns. The street may be renamed if the residents agree.
Officials who met Brask left the town. Venn was sued by Sorel in 2024, and Brask was paid by the council. The work will begin as long as the state pays. Only two of the lamps work.""",
}

FAITHFUL = [
    Statement("harbour", "paraphrase", "The new pier in Orlo was approved by seven votes to two."),
    Statement("harbour", "number", "The harbour board approved the pier by 7 votes to 2 on Tuesday."),
    Statement("harbour", "same", "The pier will be 140 metres long."),
    Statement("harbour", "attribution", "According to chair Mira Osei, the work costs 12.5 million crowns."),
    Statement("harbour", "number", "The work costs 12,500,000 crowns, said Mira Osei."),
    Statement("harbour", "order", "The old pier closed after a storm in March 2019."),
    Statement("harbour", "unit", "Harbour duty falls from 4.25 % to 4 % in June."),
    Statement("harbour", "number", "About 1,200 boats pay it."),
    Statement(
        "harbour", "joined", "Mira Osei said the work costs 12.5 million crowns, but did not say who pays for it."
    ),
    Statement("harbour", "neighbours", "Pavel Ilic would rather have a crane, but the board rejected his proposal."),
    Statement("harbour", "short", "Fishermen asked for a longer pier."),
    Statement("mill", "part", "Ada Brandt sued the town of Orlo over a water right."),
    Statement("mill", "same", "Brandt wants to appeal."),
    Statement("mill", "unit", "In 2021 the mill was sold for 3 million dollars."),
    Statement("mill", "paraphrase", "The mill at Tamsel produces flour for 30 bakeries."),
    Statement("mill", "part", "The Saar court decided for the town."),
    Statement("bank", "paraphrase", "On Thursday the Bank of Kervia raised its key rate to 3.75 percent."),
    Statement("bank", "unit", "The key rate was raised by a quarter of a percentage point to 3.75 %."),
    Statement("bank", "joined", "The rate was raised on Thursday, the fourth increase in a row."),
    Statement("bank", "attribution", "Inflation had fallen to 5.1 percent in August, Governor Tomas Rell said."),
    Statement("bank", "hedge", "The bank expects growth of 1.2 percent next year."),
    Statement("bank", "paraphrase", "Irena Vos and Bram Holt voted against the increase."),
    Statement("bank", "number", "2 of the 9 members of the council voted against the increase."),
    Statement("bank", "hedge", "The Chamber of Industry warned that up to 30,000 jobs could be lost."),
    Statement("bank", "paraphrase", "The Chamber of Industry speaks for 14,000 companies."),
    Statement("bank", "short", "Exporters criticised the decision."),
    Statement("bank", "order", "Against the euro, the krona rose by 0.6 percent."),
    Statement("match", "order", "In the final of the Lake Cup on Saturday, Norwick Rovers beat Tamsel United 3-1."),
    Statement("match", "part", "Lena Park scored twice for Rovers."),
    Statement("match", "paraphrase", "Ida Brunn scored the third goal in the 88th minute."),
    Statement("match", "part", "United led at half-time through a penalty by Rosa Kimm."),
    Statement("match", "part", "Captain Joan Ferro was sent off after 61 minutes."),
    Statement("match", "quote", "“We never stopped running,” said coach Elin Sand."),
    Statement("match", "paraphrase", "It is Rovers’ first title since 2008."),
    Statement("match", "part", "United won the cup in 2023 and 2024."),
    Statement("match", "negation", "The club will not replace coach Marta Dill."),
    Statement("fire", "order", "On Monday night a fire destroyed a warehouse of Holm & Sons in Varnby."),
    Statement("fire", "same", "Nobody was hurt."),
    Statement("fire", "paraphrase", "About 120 firefighters fought the fire for six hours."),
    Statement("fire", "number", "45 residents were evacuated from neighbouring houses by the police."),
    Statement("fire", "negation", "The cause of the fire is not yet known."),
    Statement("fire", "negation", "The police do not rule out arson."),
    Statement("fire", "number", "The company puts the damage at 8 million euros."),
    Statement("fire", "part", "The warehouse had no sprinklers."),
    Statement("fire", "attribution", "None of the 310 people will be dismissed, managing director Erik Holm promised."),
    Statement("fire", "part", "Holm & Sons employs 310 people in Varnby."),
    Statement("fire", "paraphrase", "Production in the factory next door resumed on Wednesday."),
    Statement("telescope", "part", "Astronomers on Mount Kerro found a planet that orbits the star Velin 9."),
    Statement("telescope", "number", "One orbit takes the planet 19 days."),
    Statement("telescope", "paraphrase", "The planet is about twice as heavy as the Earth."),
    Statement("telescope", "hedge", "The planet could have water."),
    Statement("telescope", "part", "The discovery was published in Sky Letters."),
    Statement("telescope", "part", "Lead author Lena Osei had searched for seven years."),
    Statement("telescope", "paraphrase", "The Tolland Foundation paid for the telescope."),
    Statement("telescope", "quote", "Hugo Prandl said that one measurement is not enough."),
    Statement("telescope", "hedge", "A second observation is planned for May 2026."),
    Statement("telescope", "number", "The telescope has a 2 metre mirror."),
    Statement("ministers", "order", "On Friday Prime Minister Dana Okoro dismissed Transport Minister Felix Marr."),
    Statement("ministers", "paraphrase", "Okoro accused Marr of hiding a report on unsafe bridges, which Marr denied."),
    Statement("ministers", "part", "Ruth Calder, until now mayor of Brackwater, is his successor."),
    Statement("ministers", "number", "Four of the 17 bridges were closed in October."),
    Statement("ministers", "part", "Opposition leader Simon Teague demanded a parliamentary inquiry."),
    Statement("ministers", "paraphrase", "The Green Union and the Farmers' Party hold 61 of the 120 seats."),
    Statement("ministers", "part", "The dismissal was supported by the Farmers' Party."),
    Statement("ministers", "date", "On November 12 Parliament votes on the budget of the ministry."),
    Statement("ministers", "number", "The ministry's budget is 2,400 million crowns."),
    Statement("vaccine", "order", "On 3 April 2025 the health agency of Saar approved a vaccine against lake fever."),
    Statement("vaccine", "negation", "The vaccine is not approved for children under 12."),
    Statement("vaccine", "unit", "It prevented 78 per cent of infections in a study with 9,800 volunteers."),
    Statement("vaccine", "part", "A dose costs 40 euros."),
    Statement("vaccine", "hedge", "Health insurers will pay for people over 60."),
    Statement(
        "vaccine", "cause", "In 2020 the company withdrew an earlier vaccine because it protected too few people."
    ),
    Statement("vaccine", "part", "Ticks carry lake fever."),
    Statement("vaccine", "number", "In Saar 212 people fell ill last year."),
    Statement("vaccine", "attribution", "Amal Reyes of the Saar clinic advises hikers to get vaccinated."),
    Statement("vaccine", "date", "The vaccine was approved for adults on April 3, 2025."),
    Statement("council", "part", "Nils Aden opened the meeting."),
    Statement("council", "part", "Greta Hale asked him to stay."),
    Statement("council", "part", "The council rejected a plan to close the library."),
    Statement("council", "passive", "In 2024 Sorel sued Venn."),
    Statement("council", "number", "Between twenty and thirty people protested."),
    Statement("council", "attribution", "According to Hale, Aden had voted twice."),
]

ALTERED = [
    Statement("harbour", "number", "The harbour board of Orlo approved a new pier by eight votes to two."),
    Statement("harbour", "opposite", "The harbour board of Orlo rejected a new pier by seven votes to two."),
    Statement("harbour", "negation", "The harbour board of Orlo did not approve a new pier by seven votes to two."),
    Statement("harbour", "name", "The harbour board of Tamsel approved a new pier on Tuesday."),
    Statement("harbour", "date", "The harbour board of Orlo approved a new pier on Friday."),
    Statement("harbour", "unit", "The pier is 140 kilometres long."),
    Statement("harbour", "name", "Chair Mira Brandt said the work costs 12.5 million crowns."),
    Statement("harbour", "number", "The work costs 12.5 billion crowns."),
    Statement("harbour", "negation", "She did say who pays for it."),
    Statement("harbour", "date", "The old pier closed in March 2020 after a storm."),
    Statement("harbour", "opposite", "The old pier opened in March 2019 after a storm."),
    Statement("harbour", "hedge", "We have a crane, said Pavel Ilic of the fishing guild."),
    Statement("harbour", "opposite", "The rate of harbour duty rises from 4 percent to 4.25 percent in June."),
    Statement("harbour", "number", "The rate of harbour duty falls from 4 percent to 4.25 percent in June."),
    Statement("harbour", "merged", "The old pier will be 140 metres long."),
    Statement("harbour", "merged", "The new pier closed in March 2019 after a storm."),
    Statement("harbour", "cause", "The work costs 12.5 million crowns because of the storm."),
    Statement(
        "harbour", "addition", "Fishermen and the harbour board quarrelled over the cost of 12.5 million crowns."
    ),
    Statement("harbour", "swap", "The harbour board had asked the fishermen for a longer pier."),
    Statement("harbour", "opposite", "Fishermen had asked for a shorter pier."),
    Statement("harbour", "attribution", "Mira Osei would rather have a crane."),
    Statement("mill", "swap", "The town of Orlo sued Ada Brandt over a water right."),
    Statement("mill", "name", "The court in Saar decided for Brandt."),
    Statement("mill", "attribution", "Brandt did not say who pays for it."),
    Statement("mill", "date", "The mill was sold last week for $3 million."),
    Statement("mill", "unit", "The mill was sold in 2021 for 3 million euros."),
    Statement(
        "mill", "addition", "The mill at Tamsel, the oldest in the country, makes flour for 30 bakeries of Saar."
    ),
    Statement("mill", "hedge", "Brandt appealed."),
    Statement("mill", "opposite", "The mill was bought by Ada Brandt in 2021."),
    Statement("mill", "opposite", "The court in Saar decided against the town."),
    Statement("mill", "merged", "The mill at Tamsel was sold to 30 bakeries in 2021."),
    Statement("bank", "number", "The Bank of Kervia raised its key rate on Thursday to 3.25 percent."),
    Statement("bank", "opposite", "The Bank of Kervia lowered its key rate on Thursday to 3.75 percent."),
    Statement("bank", "number", "The Bank of Kervia raised its key rate by half a percentage point to 3.75 percent."),
    Statement("bank", "number", "It was the fifth increase in a row."),
    Statement("bank", "name", "Governor Bram Holt said that inflation had fallen to 5.1 percent in August."),
    Statement("bank", "opposite", "Inflation was below the goal of 2 percent."),
    Statement("bank", "merged", "Inflation had fallen to 2 percent in August."),
    Statement("bank", "merged", "In June the bank had expected growth of 1.2 percent."),
    Statement("bank", "hedge", "The economy will grow by 1.2 percent next year."),
    Statement("bank", "hedge", "Up to 30,000 jobs were lost."),
    Statement("bank", "opposite", "Irena Vos and Bram Holt voted for the increase."),
    Statement("bank", "quantifier", "All nine members of the council voted against the increase."),
    Statement("bank", "opposite", "Exporters praised the decision."),
    Statement("bank", "opposite", "The krona fell by 0.6 percent against the euro."),
    Statement("bank", "swap", "The euro rose by 0.6 percent against the krona."),
    Statement("bank", "cause", "The krona rose because exporters criticised the decision."),
    Statement("bank", "quantifier", "More than 30,000 jobs could be lost."),
    Statement("bank", "addition", "The Chamber of Industry, which speaks for 14,000 companies, sued the bank."),
    Statement("bank", "negation", "Inflation had not fallen to 5.1 percent in August."),
    Statement("match", "swap", "Tamsel United beat Norwick Rovers 3-1 in the final of the Lake Cup on Saturday."),
    Statement("match", "number", "Norwick Rovers beat Tamsel United 3-0 in the final of the Lake Cup."),
    Statement("match", "number", "Norwick Rovers beat Tamsel United 1-3 in the final of the Lake Cup on Saturday."),
    Statement("match", "name", "Rosa Kimm scored twice for Rovers."),
    Statement("match", "merged", "Lena Park hit the third goal in the 88th minute."),
    Statement("match", "merged", "Rovers had led at half-time through a penalty by Rosa Kimm."),
    Statement("match", "merged", "Joan Ferro was sent off in the 88th minute."),
    Statement("match", "number", "Lena Park scored three times for Rovers."),
    Statement("match", "negation", "The club will replace coach Marta Dill."),
    Statement("match", "negation", "“We stopped running,” she said."),
    Statement("match", "merged", "Rovers won the cup in 2023 and 2024."),
    Statement("match", "date", "It is the first title for Rovers since 2018."),
    Statement("match", "quantifier", "It is the last title for Rovers since 2008."),
    Statement("match", "opposite", "Rovers coach Elin Sand criticised her team."),
    Statement("match", "name", "United coach Elin Sand praised her team."),
    Statement("match", "merged", "Coach Marta Dill was sent off after 61 minutes."),
    Statement("fire", "name", "A fire destroyed a warehouse of Holm & Sons in Norwick on Monday night."),
    Statement("fire", "date", "A fire destroyed a warehouse of Holm & Sons in Varnby on Sunday night."),
    Statement("fire", "negation", "Firefighters were hurt."),
    Statement("fire", "quantifier", "About 120 firefighters were hurt."),
    Statement("fire", "unit", "About 120 firefighters fought the flames for six days."),
    Statement("fire", "negation", "The cause is known."),
    Statement("fire", "hedge", "Arson was the cause of the fire."),
    Statement("fire", "negation", "Police rule out arson."),
    Statement("fire", "number", "The company puts the damage at eighty million euros."),
    Statement("fire", "negation", "The warehouse had sprinklers, as the town had demanded in 2022."),
    Statement("fire", "negation", "All of them will be dismissed, managing director Erik Holm promised."),
    Statement("fire", "merged", "Production in the warehouse resumed on Wednesday."),
    Statement("fire", "merged", "The police evacuated 310 residents from neighbouring houses."),
    Statement("fire", "merged", "The residents returned on Wednesday morning."),
    Statement("fire", "cause", "The fire broke out because the warehouse had no sprinklers."),
    Statement("fire", "swap", "The company had demanded sprinklers from the town in 2022."),
    Statement("fire", "addition", "Holm & Sons employs 310 people in Varnby and Saar."),
    Statement("telescope", "number", "It is about three times as heavy as the Earth."),
    Statement("telescope", "swap", "The Earth is about twice as heavy as the planet."),
    Statement("telescope", "unit", "The planet needs 19 years for one orbit."),
    Statement("telescope", "hedge", "The planet has water."),
    Statement("telescope", "negation", "Instruments can prove today that the planet has water."),
    Statement("telescope", "name", "The discovery was published in the journal Star Letters."),
    Statement(
        "telescope", "name", "Its lead author, Hugo Prandl of the University of Saar, had searched for seven years."
    ),
    Statement("telescope", "unit", "Lead author Lena Osei had searched for seven months."),
    Statement("telescope", "swap", "The star Velin 9 orbits a planet."),
    Statement("telescope", "negation", "“One measurement is enough,” said Hugo Prandl."),
    Statement("telescope", "negation", "Hugo Prandl was part of the team."),
    Statement("telescope", "merged", "The University of Saar paid for the telescope."),
    Statement("telescope", "hedge", "A second observation was made in May 2026."),
    Statement("telescope", "opposite", "Other researchers are enthusiastic."),
    Statement("telescope", "number", "The telescope that was used has a mirror of 20 metres."),
    Statement("telescope", "addition", "Astronomers of the observatory on Mount Kerro have found life on a planet."),
    Statement("ministers", "swap", "Transport Minister Felix Marr dismissed Prime Minister Dana Okoro on Friday."),
    Statement("ministers", "swap", "Marr accused Okoro of hiding a report on unsafe bridges."),
    Statement("ministers", "hedge", "Marr hid a report on unsafe bridges."),
    Statement("ministers", "negation", "Marr admitted this."),
    Statement("ministers", "name", "His successor is Hanna Lund, until now mayor of Brackwater."),
    Statement("ministers", "merged", "Ruth Calder, the opposition leader, demanded a parliamentary inquiry."),
    Statement("ministers", "number", "The report names 17 bridges, 7 of which were closed in October."),
    Statement("ministers", "number", "17 bridges were closed in October."),
    Statement("ministers", "number", "Okoro's Green Union and the Farmers' Party hold 120 of 61 seats."),
    Statement("ministers", "merged", "The Green Union alone holds 61 of 120 seats."),
    Statement("ministers", "opposite", "The Farmers' Party opposed the dismissal."),
    Statement("ministers", "date", "Hanna Lund had called for it in October."),
    Statement(
        "ministers", "number", "Parliament votes on the budget of the ministry, 2.4 million crowns, on 12 November."
    ),
    Statement("ministers", "date", "Parliament votes on the budget of the ministry on 13 November."),
    Statement("ministers", "hedge", "Parliament approved the budget of the ministry on 12 November."),
    Statement("ministers", "hedge", "A parliamentary inquiry was opened by Simon Teague."),
    Statement("ministers", "cause", "Marr was dismissed because 17 bridges were closed."),
    Statement("vaccine", "date", "The health agency of Saar approved a vaccine against lake fever on 4 April 2025."),
    Statement("vaccine", "negation", "It is approved for children under 12."),
    Statement(
        "vaccine", "negation", "The health agency of Saar has not approved a vaccine against lake fever for adults."
    ),
    Statement("vaccine", "number", "In a study with 8,900 volunteers it prevented 78 percent of infections."),
    Statement("vaccine", "number", "In a study with 9,800 volunteers it prevented 87 percent of infections."),
    Statement("vaccine", "opposite", "Serious side effects were frequent."),
    Statement("vaccine", "number", "A dose sells for 60 euros."),
    Statement("vaccine", "unit", "The maker, Callum Biotech, sells a dose for 40 dollars."),
    Statement("vaccine", "quantifier", "Health insurers will pay for people under 60."),
    Statement("vaccine", "quantifier", "Health insurers will pay for all people."),
    Statement(
        "vaccine", "date", "The company had withdrawn an earlier vaccine in 2019 because it protected too few people."
    ),
    Statement(
        "vaccine", "cause", "The company had withdrawn an earlier vaccine in 2020 because it had serious side effects."
    ),
    Statement("vaccine", "merged", "The vaccine against lake fever was withdrawn in 2020."),
    Statement("vaccine", "swap", "Lake fever carries ticks."),
    Statement("vaccine", "merged", "In Saar 9,800 people fell ill last year."),
    Statement("vaccine", "opposite", "In Saar 212 people fell ill last year, fewer than in any year before."),
    Statement("vaccine", "attribution", "Callum Biotech advises hikers to get vaccinated."),
    Statement("vaccine", "negation", "Doctor Amal Reyes of the Saar clinic advises hikers not to get vaccinated."),
    Statement(
        "vaccine", "addition", "Doctor Amal Reyes of the Saar clinic advises hikers and children to get vaccinated."
    ),
    # Words of a sentence, but not what it says.
    Statement("council", "part", "The mayor resigned from the council of Orvalt on Monday."),
    Statement("council", "part", "The mayor's brother resigned from Orvalt on Monday."),
    Statement("council", "part", "Norwick asked him to stay."),
    Statement("council", "part", "The Norwick council asked him to stay."),
    Statement("council", "part", "Okoro sold the theatre."),
    Statement("council", "part", "Okoro's friend sold the theatre."),
    Statement("council", "part", "Ada Sorel sold the theatre."),
    Statement("council", "part", "The lawyer Tim Brask sold the theatre."),
    Statement("council", "part", "Greta Hale and the lawyer Tim Brask sold the theatre."),
    Statement("council", "part", "Judge Nils Aden opened the meeting."),
    Statement("council", "hedge", "The council planned to close the library."),
    Statement("council", "hedge", "The council closed the library."),
    Statement("council", "part", "Mayor Lind accuses the treasurer of waste."),
    Statement("council", "hedge", "The treasurer wasted."),
    Statement("council", "hedge", "The builder Karl Venn left."),
    Statement("council", "hedge", "Karl Venn leaves."),
    Statement("council", "number", "20 people protested."),
    Statement("council", "number", "30 people protested."),
    Statement("council", "number", "Between 30 and 20 people protested."),
    Statement("council", "attribution", "Hale had voted twice."),
    Statement("council", "attribution", "Aden told the paper that Hale had voted twice."),
    Statement("council", "attribution", "Aden said that Hale had voted twice."),
    Statement("council", "part", "The theatre bridge rose to 4 crowns."),
    Statement("council", "number", "The theatre bridge tax rose by 4 crowns."),
    Statement("council", "number", "The theatre bridge tax rose to -4 crowns."),
    Statement("council", "number", "The theatre bridge tax rose to >4 crowns."),
    Statement("council", "hedge", "The street is renamed."),
    Statement("council", "hedge", "The street may be renamed."),
    Statement("council", "hedge", "The residents agree."),
    Statement("council", "part", "Brask left the town."),
    Statement("council", "swap", "Sorel was sued by Venn in 2024."),
    Statement("council", "swap", "Venn sued Sorel in 2024."),
    Statement("council", "merged", "Venn was paid by the council."),
    Statement("council", "merged", "Brask was sued by Sorel in 2024."),
    Statement("council", "hedge", "The work will begin."),
    Statement("council", "hedge", "The state pays."),
    Statement("council", "quantifier", "Two of the lamps work."),
    Statement("council", "quantifier", "The lamps work."),
    Statement("council", "hedge", "He stayed."),
    Statement("council", "quote", "“The council closed the library,” said Greta Hale."),
    Statement("council", "quote", "“The council rejected a plan,” it said."),
    Statement("council", "question", "A former judge, Nils Aden, opened the meeting?"),
    Statement("council", "voice", "We rejected a plan to close the library."),
    Statement("fire", "merged", "Erik Holm said the company puts the damage at eight million euros."),
    Statement("harbour", "merged", "Mira Osei said the board rejected his proposal."),
    Statement("harbour", "quote", "“The work costs 12.5 million crowns,” said chair Mira Osei."),
    Statement(
        "ministers", "swap", "Prime Minister Dana Okoro was dismissed by Transport Minister Felix Marr on Friday."
    ),
    Statement("ministers", "part", "Prime Minister Dana Okoro was dismissed on Friday."),
    Statement("ministers", "part", "The Farmers' Party holds 61 of 120 seats."),
    Statement("ministers", "hedge", "Okoro dismissed Marr because he hid a report on unsafe bridges."),
    Statement("bank", "part", "The council voted against the increase."),
    Statement("match", "part", "The club's president will not replace coach Marta Dill."),
    Statement("telescope", "part", "The instrument can prove that today."),
    Statement("vaccine", "part", "The vaccine is approved for children."),
    Statement("vaccine", "part", "The vaccine protected too few people."),
]

# Of two sample articles; written when the rules were there, to see what they had missed.
SAMPLE_FAITHFUL = {
    "storm-odran-count.md": """
The regional council published its report on Thursday.
The regional council in Port Callis puts the damage at 83 million crowns.
According to the Kaldrian Weather Office, the gust at the Callis Head station reached 139 kilometres per hour.
The gust at the Callis Head station reached 139 kilometres per hour.
The record of 142 stands.
Doctors treated 27 people for injuries.
Dr. Hollis Ambrey conceded that the red warning had come too late.
Repairs to the sports hall of St. Ebba's School cost 3.1 million crowns.
The school board has put off the merger with Quarry Lane by a year.
Head teacher Maud Ellery has agreed to stay on.
On March 1 a relief fund of 12 million crowns opens.
Rufus Amblin had asked for 3 million crowns in January.
Jonna Threlfall wants to raise the sea wall on Sennet Bay by 80 cm.
Jonna Threlfall wants to raise the sea wall by 80 centimetres.
The work would cost 19 million crowns.
A decision is expected in May.
""",
    "kaldrail-mediator-offer.md": """
On Thursday Kaldrail improved its pay offer to 4.6 percent over 24 months.
The strike cancelled 1,140 of 1,900 scheduled long-distance trains.
86 of 310 goods trains never left their yards.
The URC believes the true figure is closer to 7 million.
In 2018 Henrike Solvang settled the harbour pilots' dispute in nine days.
Sessions begin on March 10 at the Old Customs House in Hestenby.
Corin Vasterby has taken over the talks from Dunstan Averill.
Mirela Tosk remains in charge for the union.
The company offers 4.6 percent over 24 months.
The night train was kept out of the mediation.
Teodor Quill expects a settlement a little under 6 percent.
Kaldrail closed last year with a loss of 64 million crowns.
Both sides accepted Henrike Solvang as mediator.
The container terminal at Orvalt turned lorries away on Tuesday.
""",
}

SAMPLE_ALTERED = {
    "storm-odran-count.md": """
The report puts the damage at 57 million crowns.
The Kaldrian Insurers' Association puts the damage at 83 million crowns.
The gap is explained by the sea wall alone.
Flooded cellars are insured by everyone on the coast.
The storm was stronger than it seemed.
The gust at the Callis Head station reached 142 kilometres per hour.
The record of 142 was set in October.
The record of 139, set in November 1987, stands.
The record therefore falls.
The number of households without electricity goes down.
Kaldgrid left out 46,500 customers.
It was 46,500, because farm transformers failed.
The first of them were reconnected on January 19.
Doctors treated eight people for injuries.
Doctors treated 27 people for injuries, eight fewer than reported at the time.
Dr. Hollis Ambrey denied that the red warning had come too late.
The red warning had not come too late.
The red warning is issued at least 12 hours ahead.
The red warning is to be issued at least 12 hours behind.
Hester Vane conceded that the red warning had come too late.
Repairs to the sports hall of St. Ebba's School will cost 3.1 million crowns until August 2027.
The school board has put off the merger with Quarry Lane by two years.
The school board has called off the merger with Quarry Lane.
Quarry Lane has put off the merger with the school board.
Head teacher Maud Ellery has agreed to leave then.
A relief fund of 12 million crowns closes on March 1.
Households receive 4,000 crowns.
Households receive up to 25,000 crowns.
Damage that an insurer pays for is covered.
The growers find that generous.
A new hectare costs 11 crowns.
The council destroyed 11 hectares of greenhouse glass.
Rufus Amblin chairs the Merrin Fruit Co-operative.
Hester Vane had asked for 3 million crowns in January.
Jonna Threlfall raised the sea wall on Sennet Bay by 80 centimetres.
The mayor of Port Callis wants to raise the sea wall by 80 metres.
The work will cost 19 million crowns.
The state would have to pay one third.
The state pays two thirds.
A decision in Hestenby was made in May.
Jonna Threlfall, the mayor of Hestenby, wants to raise the sea wall on Sennet Bay by 80 centimetres.
""",
    "kaldrail-mediator-offer.md": """
Kaldrail improved its pay offer to 7.5 percent over 24 months on Thursday.
Kaldrail rejected mediation.
The union improved its pay offer to 4.6 percent over 24 months.
The Union of Railway Crews agreed to mediation on Thursday.
The strike cancelled 1,900 of 1,140 scheduled long-distance trains.
The strike cancelled 1,900 scheduled long-distance trains.
All goods trains never left their yards.
The container terminal at Orvalt turned lorries away on Wednesday.
The cost of the strike was 11 million crowns a day.
The URC put the cost of the strike at 11 million crowns a day.
The true figure is 7 million.
The URC believes the true figure is closer to 11 million.
Passengers travelled later in the week because of the strike.
Dr. Henrike Solvang is an appeal court judge.
Dr. Henrike Solvang, a retired appeal court judge, rejected both sides.
In 2018 she settled the harbour pilots' dispute in nine months.
In nine days she settled the railway dispute.
Sessions end on Monday, March 10, at the Old Customs House in Hestenby.
Dunstan Averill has taken over the talks from Corin Vasterby.
Corin Vasterby stays in his post.
Dunstan Averill, the chief executive, has taken over the talks.
Mirela Tosk remains in charge of the company.
She described the old offer as "one step on a staircase of ten."
The union asks for 4.6 percent over 24 months.
The company asks for 7.5 percent over 12.
Kaldrail gave 14 days' notice.
The union accepts 11 hours between shifts.
The company insists on 12.
The night train was kept out of the mediation at the union's request.
The night train was kept in the mediation at Kaldrail's request.
Its closing date of June 14 has moved.
Teodor Quill expects a settlement a little over 6 percent.
The settlement is a little under 6 percent.
Every percentage point costs the company about 400,000 crowns a year.
Help from the state is in sight.
Finance Minister Aldous Renck told parliament that the rail subsidy of 1.2 billion crowns was "a starting bid."
Kaldrail closed last year with a profit of 64 million crowns.
Kaldrail closed last year with a loss of 1.2 billion crowns.
Kaldrail closed last year with a loss of 64 million crowns, its first in a row.
""",
}
