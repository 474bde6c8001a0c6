"""Short documents with questions: which words of the document answer them, or that none do.

Written at once, before the rule of answerability that is measured on it (rag_service/policy/answerability.py). The
questions without an answer ask about the document's own matter, so that shared words are no proof. Documents with an
even index chose the rule's weights and bounds, those with an odd one were looked at only to measure it.
"""

# ruff: noqa: E501, ISC004  # the rows of a table

SET: tuple[tuple[str, str, tuple[tuple[str, str], ...], tuple[str, ...]], ...] = (
    ("Travel policy",
     "Employees book trips through the travel desk at least ten days ahead. Flights under six hours are booked in economy class. "
     "Hotels may cost up to 140 euros a night, breakfast included. Receipts must be handed in within 30 days after the trip. "
     "Rental cars need the approval of the head of department. Trains are preferred over planes for distances below 500 kilometres.",
     (("How much may a hotel cost?", "140 euros"), ("When do I have to hand in receipts?", "within 30 days"),
      ("Who approves rental cars?", "head of department"), ("Which class do we fly on short flights?", "economy class"),
      ("How early must a trip be booked?", "ten days ahead")),
     ("How many days of holiday do employees get?", "Who pays for a taxi to the airport?", "What is the daily allowance for meals?",
      "How many flights may I book in a year?")),
    ("Coffee machine B200",
     "Fill the tank with cold water up to the MAX line. The tank holds 1.8 litres. Switch the machine on and wait until the green lamp stops blinking. "
     "Descale the machine every three months, or when the red lamp is lit. Use citric acid for descaling; vinegar damages the seals. "
     "The drip tray can be washed in the dishwasher, the brew group cannot. The guarantee covers two years.",
     (("How much water does the tank hold?", "1.8 litres"), ("How often should I descale it?", "every three months"),
      ("Why should I not use vinegar?", "vinegar damages the seals"), ("How long is the guarantee?", "two years"),
      ("What does the red lamp mean?", "when the red lamp is lit"), ("Can I put the drip tray into the dishwasher?", "drip tray can be washed")),
     ("How much does the machine weigh?", "Where was the machine made?", "Which beans are best?", "How many watts does the machine need?")),
    ("The Battle of Hastings",
     "The Battle of Hastings was fought on 14 October 1066 between the Norman army of William and the English army of Harold Godwinson. "
     "Harold had marched south from York after defeating the Norwegians at Stamford Bridge. The English fought on foot behind a wall of shields on Senlac Hill. "
     "Late in the day Harold was killed, probably by an arrow. William was crowned in Westminster Abbey on Christmas Day. "
     "The Bayeux Tapestry, nearly seventy metres long, shows the story of the conquest.",
     (("When was the Battle of Hastings fought?", "14 October 1066"), ("Who was killed in the battle?", "Harold was killed"),
      ("Where was William crowned?", "Westminster Abbey"), ("How long is the Bayeux Tapestry?", "seventy metres"),
      ("Where did the English army stand?", "Senlac Hill")),
     ("How many soldiers died in the battle?", "Who made the Bayeux Tapestry?", "When was Harold born?", "What was the name of William's wife?")),
    ("Incident runbook",
     "An incident of severity one pages the engineer on call at once. The engineer acknowledges within five minutes, or the page goes to the second on call. "
     "The incident commander opens a channel and posts an update every twenty minutes. Only the commander decides about a rollback. "
     "Logs are kept for ninety days in the archive bucket. After the incident a review is written within three working days, and blames nobody.",
     (("How quickly must a page be acknowledged?", "within five minutes"), ("Who may decide to roll back?", "Only the commander"),
      ("How long are logs kept?", "ninety days"), ("How often are updates posted?", "every twenty minutes"),
      ("When is the review written?", "three working days")),
     ("How many engineers are on call?", "Who wrote the runbook?", "What is severity three?", "Which tool sends the pages?")),
    ("Sourdough bread",
     "Feed the starter eight hours before baking. Mix 500 grams of flour, 350 grams of water, 100 grams of starter and 10 grams of salt. "
     "Let the dough rest for four hours at room temperature and fold it every thirty minutes in the first two hours. "
     "Bake it in a hot iron pot at 240 degrees for 25 minutes with the lid on, then 20 minutes without it. "
     "The bread is done when it sounds hollow. Cool it on a rack, because a warm loaf is hard to cut.",
     (("How much flour do I need?", "500 grams of flour"), ("At what temperature is the bread baked?", "240 degrees"),
      ("How do I know that the bread is done?", "sounds hollow"), ("Why should the loaf cool first?", "hard to cut"),
      ("How often is the dough folded?", "every thirty minutes")),
     ("How many calories does a slice have?", "How long does the bread keep?", "Which brand of flour is best?", "Who invented sourdough?")),
    ("Lease agreement, 12 Mill Road",
     "The rent is 950 pounds a month and is due on the first working day. The tenant pays a deposit of two months' rent, held by a protected scheme. "
     "Pets are not allowed without the landlord's consent in writing. Either party may end the lease with two months' notice. "
     "The landlord repairs the boiler, the roof and the windows; the tenant replaces bulbs and keeps the garden. "
     "Subletting is forbidden. The lease begins on 1 September 2026.",
     (("How much is the rent?", "950 pounds"), ("Who repairs the boiler?", "landlord repairs the boiler"),
      ("Am I allowed to keep a dog?", "Pets are not allowed"), ("When does the lease begin?", "1 September 2026"),
      ("How much notice is needed to leave?", "two months' notice"), ("May I sublet the flat?", "Subletting is forbidden")),
     ("Who lived in the house before?", "How large is the garden?", "What is the landlord's phone number?", "How much is the council tax?")),
    ("Photosynthesis",
     "Plants turn carbon dioxide and water into sugar and oxygen with the energy of light. The reactions take place in the chloroplasts, whose green colour comes from chlorophyll. "
     "Chlorophyll absorbs red and blue light and reflects green light. In the light reactions water is split and oxygen is set free. "
     "The Calvin cycle, which needs no light itself, builds sugar out of carbon dioxide. Melvin Calvin received the Nobel Prize in Chemistry in 1961.",
     (("Where does photosynthesis take place?", "chloroplasts"), ("Why are leaves green?", "reflects green light"),
      ("What does the Calvin cycle do?", "builds sugar"), ("When did Calvin receive the Nobel Prize?", "1961"),
      ("Which gas is set free?", "oxygen")),
     ("How fast is photosynthesis at night in the sea?", "Who discovered chlorophyll?", "How many chloroplasts does a cell have?",
      "At what temperature does photosynthesis stop?")),
    ("Backup service",
     "# Backup service\n\nThe backup service copies every volume once a night, at 02:00 UTC.\n\n| plan | copies kept | price a month |\n|---|---|---|\n"
     "| basic | 7 | 4 euros |\n| plus | 30 | 11 euros |\n| archive | 365 | 39 euros |\n\nA restore is started in the console or with `bk restore VOLUME`. "
     "Restores of volumes up to 100 GB finish within an hour. Copies are encrypted with AES-256; the key never leaves your account. "
     "If a copy fails three times in a row, the owner is told by mail.",
     (("How many copies are kept on the plus plan?", "| plus | 30"), ("When are volumes copied?", "02:00 UTC"),
      ("How do I start a restore?", "bk restore VOLUME"), ("How much is the archive plan?", "39 euros"),
      ("How are the copies encrypted?", "AES-256"), ("What happens when a copy fails?", "told by mail")),
     ("Which regions are there?", "How do I pay for the service?", "Who founded the company?", "How fast is an upload?")),
    ("The honeybee",
     "A honeybee colony has one queen, some hundred drones and up to sixty thousand workers. A worker lives about six weeks in summer and up to six months in winter. "
     "The queen lays as many as two thousand eggs a day. Foragers tell each other where flowers are by a dance, which Karl von Frisch deciphered. "
     "The mite Varroa destructor is the worst enemy of the bees in Europe. Honey keeps for years since it holds too little water for bacteria.",
     (("How long does a worker bee live in summer?", "six weeks in summer"), ("How many eggs does the queen lay?", "two thousand eggs"),
      ("Who deciphered the dance of the bees?", "Karl von Frisch"), ("Why does honey keep so long?", "too little water"),
      ("How do bees tell each other about flowers?", "by a dance")),
     ("How fast can a bee fly?", "How much honey does a colony make in a year?", "What does a jar of honey cost?", "How many eyes does a bee have?")),
    ("Parental leave",
     "Parents may take up to fourteen months of leave together. The application is sent to the personnel office seven weeks before the leave begins. "
     "During the leave the state pays 65 percent of the last net income, at most 1,800 euros. Working up to 32 hours a week is possible while on leave. "
     "The workplace is kept: nobody can be dismissed during the leave. Questions are answered by Mrs Lindqvist, room 214.",
     (("How long can parents take leave?", "fourteen months"), ("Where is the application sent?", "personnel office"),
      ("How much money does the state pay?", "65 percent"), ("Can I work while I am on leave?", "32 hours"),
      ("Who answers questions about the leave?", "Mrs Lindqvist"), ("Can I be dismissed during the leave?", "nobody can be dismissed")),
     ("How many parents took leave last year?", "How many sick days are paid?", "What does a place in a nursery cost?", "When was the law passed?")),
    ("Message queue: delivery",
     "A message is delivered at least once. A consumer must acknowledge it within thirty seconds; then it is removed. "
     "If it is not acknowledged, it becomes visible again and its count of deliveries is raised. After five deliveries it goes to the dead-letter queue. "
     "Order is kept inside a partition only. The largest message is 256 kilobytes; put larger data into the object store and send its address. "
     "The service runs in Frankfurt and Dublin.",
     (("How large may a message be?", "256 kilobytes"), ("What happens after five deliveries?", "dead-letter queue"),
      ("Is the order of messages kept?", "Order is kept inside a partition"), ("How long does a consumer have to acknowledge a message?", "thirty seconds"),
      ("Where does the service run?", "Frankfurt")),
     ("How much does a million messages cost?", "Who maintains the queue?", "How many partitions can a queue have?", "Which encryption is used?")),
    ("Mount Kilimanjaro",
     "Kilimanjaro in Tanzania is the highest mountain of Africa, at 5,895 metres. It is a dormant volcano with three cones: Kibo, Mawenzi and Shira. "
     "The first to reach the summit were Hans Meyer and Ludwig Purtscheller in 1889. Most climbers take the Marangu or the Machame route, in five to nine days. "
     "More than 80 percent of its ice has vanished since 1912. Climbers suffer from the height, not from steep rock.",
     (("How high is Kilimanjaro?", "5,895 metres"), ("Who climbed it first?", "Hans Meyer"), ("In which country is Kilimanjaro?", "Tanzania"),
      ("How many days does the climb take?", "five to nine days"), ("What are the cones called?", "Kibo")),
     ("How many people climb Kilimanjaro each year?", "When did it erupt last?", "How much is a permit?", "Which animals live on the mountain?")),
    ("Expense API",
     "`POST /expenses` creates an expense and answers 201 with its id. The amount is given in cents and must be above zero; else the answer is 422. "
     "A request without a token is answered with 401. Each key may make 60 requests a minute; above that the answer is 429 with a Retry-After header. "
     "Deleted expenses can be restored for 14 days with `POST /expenses/{id}/restore`. Attachments are PDF, PNG or JPEG files of at most 5 MB.",
     (("Which status is answered without a token?", "401"), ("How many requests may a key make?", "60 requests a minute"),
      ("How long can a deleted expense be restored?", "14 days"), ("How large may an attachment be?", "5 MB"),
      ("In what unit is the amount?", "in cents")),
     ("How is a user created?", "What is the base address of the API?", "Which currencies are supported?", "Who may approve an expense?")),
    ("Swimming pool rules",
     "The pool is open from 7 to 21 on weekdays and from 9 to 18 at weekends. Children under eight must be accompanied by an adult. "
     "A ticket costs 6 francs, for students 4 francs. Caps are compulsory in the large basin. Running and jumping from the side are forbidden. "
     "The sauna is closed in July for maintenance. Lost property is kept at the desk for a month.",
     (("How much is a ticket for students?", "4 francs"), ("When does the pool open at weekends?", "9 to 18"),
      ("Do I have to wear a cap?", "Caps are compulsory"), ("Why is the sauna closed in July?", "maintenance"),
      ("Where do I find lost property?", "at the desk")),
     ("How deep is the large basin?", "Who teaches swimming?", "How warm is the water?", "How many lockers are there?")),
    ("Type 2 diabetes: leaflet",
     "In type 2 diabetes the body answers too weakly to insulin. The first signs are thirst, tiredness and frequent passing of water. "
     "The diagnosis is made with the long-term value HbA1c, from 6.5 percent on. Treatment begins with exercise and diet; metformin is the first drug. "
     "Eyes and feet should be checked once a year. About one in eleven adults has the disease.",
     (("What are the first signs of the disease?", "thirst, tiredness"), ("Which drug is given first?", "metformin"),
      ("How often should the eyes be checked?", "once a year"), ("How many adults have diabetes?", "one in eleven"),
      ("How is it diagnosed?", "HbA1c")),
     ("How much metformin should I take?", "Who discovered insulin?", "What does the treatment cost?", "How long do patients live?")),
    ("Release process",
     "## Release process\n\n1. Cut the branch on Monday.\n2. Run the full suite; it takes about 50 minutes.\n3. Two maintainers sign the tag.\n4. Publish on Thursday, never on a Friday.\n\n"
     "A hotfix skips the branch, but needs the same two signatures. Release notes are written by whoever cut the branch. "
     "Support of a release ends eighteen months after it was published. Version numbers follow semantic versioning.",
     (("How long does the full suite take?", "50 minutes"), ("Who signs the tag?", "Two maintainers"),
      ("On which day is a release published?", "Thursday"), ("Who writes the release notes?", "whoever cut the branch"),
      ("How long is a release supported?", "eighteen months")),
     ("How many maintainers are there?", "Which licence does the project have?", "How do I report a bug?", "Where is the code hosted?")),
    ("Solar system notes",
     "Jupiter is the largest planet and has a mass 318 times that of the Earth. A day on Jupiter lasts about ten hours. "
     "The Great Red Spot is a storm that has been watched since the seventeenth century. Saturn's rings are made of ice and rock. "
     "Venus turns backwards and is hotter than Mercury, because its thick air holds the heat. Neptune was found in 1846 by Johann Galle.",
     (("How long is a day on Jupiter?", "ten hours"), ("What are Saturn's rings made of?", "ice and rock"),
      ("Why is Venus hotter than Mercury?", "holds the heat"), ("Who found Neptune?", "Johann Galle"),
      ("What is the Great Red Spot?", "a storm")),
     ("How many moons does Saturn have?", "How far is Neptune from the sun?", "Who found Uranus?", "How old is Jupiter?")),
    ("Bicycle maintenance",
     "Check the tyres every week: 4 bar for city tyres, 6 bar for racing tyres. Oil the chain after rain, and wipe off what is too much. "
     "Brake pads must be replaced when less than one millimetre is left. Tighten the stem bolts to 5 newton metres. "
     "A chain lasts about 3,000 kilometres; a worn one ruins the sprockets. Store an e-bike's battery at room temperature, half charged.",
     (("What pressure do racing tyres need?", "6 bar"), ("When must brake pads be replaced?", "less than one millimetre"),
      ("How long does a chain last?", "3,000 kilometres"), ("How should the battery be stored?", "room temperature"),
      ("How tight should the stem bolts be?", "5 newton metres")),
     ("How much does a new chain cost?", "Which bicycle is the fastest?", "How heavy is the frame?", "Where can I buy brake pads?")),
    ("Data protection notice",
     "We process your name, address and bank account in order to carry out the contract. The controller is Nordwind Ltd, 3 Harbour Street, Kiel. "
     "Data is deleted ten years after the contract ends, since tax law wants it kept so long. You may ask what is stored about you at any time, free of charge. "
     "We pass data to the parcel service and to nobody else. Complaints go to the data protection officer, Dr Amara Osei.",
     (("Who is the data protection officer?", "Amara Osei"), ("Why is data kept for ten years?", "tax law"),
      ("To whom is my data passed on?", "parcel service"), ("Who is the controller?", "Nordwind Ltd"),
      ("What does it cost to ask what is stored?", "free of charge")),
     ("How many customers does Nordwind have?", "Which servers store the data?", "How long is a newsletter kept?", "When was Nordwind founded?")),
    ("Cache design note",
     "The cache holds answers for sixty seconds. A key is made of the tenant, the path and the hash of the body, so that no tenant sees another one's answers. "
     "When the store is down, requests go past the cache and a counter is raised; nothing fails. Answers above one megabyte are not cached. "
     "An operator empties the cache of a tenant with `cachectl purge TENANT`. We chose LRU over LFU because bursts are short here.",
     (("How long are answers cached?", "sixty seconds"), ("What happens when the store is down?", "requests go past the cache"),
      ("How do I empty the cache?", "cachectl purge"), ("Why was LRU chosen?", "bursts are short"),
      ("What is a key made of?", "the tenant, the path"), ("How large may a cached answer be?", "one megabyte")),
     ("Who designed the cache?", "How much memory does the cache have?", "Which port does it listen on?", "How many hits are there a day?")),
    ("Library card",
     "A card is free for children and costs 20 dollars a year for adults. Books are lent for four weeks, films for one. "
     "A loan can be renewed twice unless somebody else has asked for it. Late books cost 25 cents a day. "
     "Up to fifteen items may be lent at once. The reading room on the third floor is quiet; phones are not allowed there. The library was opened by Mayor Ruth Delgado in 1974.",
     (("How much is a card for adults?", "20 dollars"), ("How long are films lent?", "films for one"),
      ("How often can I renew a loan?", "renewed twice"), ("Who opened the library?", "Ruth Delgado"),
      ("How many items can I borrow at once?", "fifteen items")),
     ("How many books does the library have?", "What time does the library close?", "Who is the librarian?", "How do I get a job in the library?")),
    ("Wind turbine W7",
     "The turbine starts at a wind of 3 metres a second and stops above 25. Its rotor has a diameter of 154 metres. At full load it delivers 7 megawatts. "
     "The tower is made of steel and concrete. Technicians inspect the blades twice a year with a drone. "
     "Ice on the blades is found by a change of vibration, and the turbine is then stopped. The gearbox was left out in order to need less maintenance.",
     (("How much power does the turbine deliver?", "7 megawatts"), ("How often are the blades inspected?", "twice a year"),
      ("What is the tower made of?", "steel and concrete"), ("Why does it have no gearbox?", "less maintenance"),
      ("How is ice on the blades found?", "change of vibration")),
     ("How much does a turbine cost?", "Who built the tower?", "How loud is the turbine?", "How many turbines are in the park?")),
    ("Exam rules",
     "The written exam takes three hours. Dictionaries are allowed, phones are not. To pass, 50 of 100 points are needed. "
     "Who is ill hands in a doctor's note within three days and may sit the exam again in March. An exam can be repeated once. "
     "Results are posted in the portal four weeks later. Professor Okafor marks the papers together with an assistant.",
     (("How long is the written exam?", "three hours"), ("How many points do I need to pass?", "50 of 100"),
      ("Are dictionaries allowed?", "Dictionaries are allowed"), ("Who marks the papers?", "Professor Okafor"),
      ("What should I do if I am ill?", "doctor's note"), ("Where are the results posted?", "in the portal")),
     ("In which room is the exam?", "How many students failed last year?", "How much is the fee?", "When does the term begin?")),
    ("Rate limiter",
     "# Rate limiter\n\nEach tenant has a bucket of 100 tokens, refilled with 10 a second. A call takes one token; a batch takes one for each item.\n\n"
     "## Failures\n\nIf Redis cannot be reached, calls are let through for at most 30 seconds, and then refused with 503. "
     "The grace period is there because a restart takes 20 seconds.\n\n## Settings\n\n- `RATE_BURST`: size of the bucket\n- `RATE_REFILL`: tokens a second\n\n"
     "Alerts go to the platform team when more than five percent of calls are refused.",
     (("How many tokens does a bucket hold?", "100 tokens"), ("What happens if Redis is unreachable?", "calls are let through"),
      ("Why is there a grace period?", "a restart takes 20 seconds"), ("Who gets the alerts?", "platform team"),
      ("Which setting changes the size of the bucket?", "RATE_BURST")),
     ("Which Redis version is needed?", "How many tenants are there?", "Who wrote the rate limiter?", "How long are alerts kept?")),
)  # fmt: skip
