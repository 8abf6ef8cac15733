"use strict";
page.charts(page.data, {});
