/* Nested DAGs as the loader reads them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/ir/ir.h"
#include "common/text/json.h"
#include "tests/support/ir_text.h"

/* One of everything: 0 prepare, 1 all (for_each), 2 all/fetch, 3 all/fit, 4 all/clean (finally),
 * 5 choose (switch), 6 choose/small, 7 choose/big, 8 again (loop), 9 again/try, 10 hold, 11 ask,
 * 12 child, 13 sub (scope), 14 sub/a, 15 tell (finally). */
static const char *const EVERYTHING =
    "{'ir':2,'name':'p','priority':7,'queue_timeout_us':5,'finally_timeout_us':9,"
    "'concurrency':{'policy':'latest_only','key':'${{ params.x }}','limit':2},"
    "'outputs':{'best':{'step':'choose','output':'model'}},'steps':["
    "{'name':'prepare','kind':'run','outputs':{'parts':{},'n':{'type':'integer'}}},"
    "{'name':'all','kind':'group','needs':['prepare'],'as':'city','parallelism':3,"
    " 'fail_fast':false,'for_each':{'from':{'step':'prepare','output':'parts'}},"
    " 'retry':{'attempts':2},'timeout_us':6,"
    " 'branches':[{'outputs':{'rmse':{'step':'all/fit','output':'rmse'}},"
    " 'finally_timeout_us':4}],'outputs':{'rmse':{'type':'number','list':1}}},"
    "{'name':'all/fetch','in':'all','kind':'run','sees':['prepare'],"
    " 'inputs':{'p':{'from':{'step':'prepare','output':'parts'}}},'outputs':{'d':{}}},"
    "{'name':'all/fit','in':'all','kind':'run','needs':['all/fetch'],"
    " 'inputs':{'d':{'from':{'step':'all/fetch','output':'d'}}},"
    " 'outputs':{'rmse':{'type':'number'}}},"
    "{'name':'all/clean','in':'all','finally':true,'kind':'run','sees':['all/fit']},"
    "{'name':'choose','kind':'group','rule':'none_failed','branches':["
    " {'when':'params.x','outputs':{'model':{'step':'choose/small','output':'m'}}},"
    " {'outputs':{'model':{'step':'choose/big','output':'m'}}}],'outputs':{'model':{}}},"
    "{'name':'choose/small','in':'choose','kind':'run','outputs':{'m':{}}},"
    "{'name':'choose/big','in':'choose','branch':1,'kind':'run','outputs':{'m':{}}},"
    "{'name':'again','kind':'group','loop':{'until':'outputs.l < 1.0','max':20,'delay_us':3},"
    " 'branches':[{'outputs':{'l':{'step':'again/try','output':'l'}}}],"
    " 'outputs':{'l':{'type':'number'}}},"
    "{'name':'again/try','in':'again','kind':'run','outputs':{'l':{'type':'number'}},"
    " 'retry':{'exit_codes':[75,3,75],'not_exit_codes':[2]},'limits':{'db':2,'gpu':1},"
    " 'cache':{'ttl_us':8},'at_most_once':true,'heartbeat_us':11,'queue_timeout_us':12,"
    " 'priority':-100,'allow_failure':true},"
    "{'name':'hold','kind':'wait','timeout_us':1,'wait':{'type':'a.b','source':'s','filter':"
    "'event.x'},'outputs':{'event':{'type':'json'}}},"
    "{'name':'ask','kind':'approval','timeout_us':1,'approval':{'by':['anna','bob'],"
    " 'message':'ok?','on_timeout':'approve'}},"
    "{'name':'child','kind':'start','start':{'pipeline':'q','params':{'x':'1'},'name':'n',"
    " 'wait':false}},"
    "{'name':'sub','kind':'group','scope':true,'origin':'q@00','branches':[{}],"
    " 'params':[{'name':'x','type':'integer','value':'${{ params.x }}'}]},"
    "{'name':'sub/a','in':'sub','kind':'run'},"
    "{'name':'tell','finally':true,'kind':'run','sees':['prepare']}]}";

static struct ir *load(const json_t *json)
{
    struct err err = {0};
    struct ir *ir = ir_load(json, &err);
    if (!ir)
        fail_msg("%s", err.text);
    return ir;
}

static void every_step_has_its_place(void **state)
{
    (void)state;
    cleanup_json json_t *json = json_of(EVERYTHING);
    struct ir *ir = load(json);
    for (size_t i = 0; i < ir->step_count; i++) {
        const struct ir_dag *dag = ir_dag_of(ir, (int32_t)i);
        assert_int_equal(dag->steps[ir->steps[i].place], i);
        assert_int_equal(ir->steps[i].finally, (size_t)ir->steps[i].place >= dag->work);
    }
    assert_int_equal(ir->root.count, 9);
    assert_int_equal(ir->root.work, 8);
    assert_int_equal(ir->root.finally_us, 9);
    assert_string_equal(ir->root.outputs[0].name, "best");
    assert_int_equal(ir->root.outputs[0].step, ir_step_index(ir, "choose"));
    assert_int_equal(ir->priority, 7);
    assert_int_equal(ir->queue_timeout_us, 5);
    assert_int_equal(ir->concurrency, IR_CONCURRENCY_LATEST_ONLY);
    assert_non_null(ir->concurrency_key);
    ir_free(ir);
}

static void a_for_each_is_loaded(void **state)
{
    (void)state;
    cleanup_json json_t *json = json_of(EVERYTHING);
    struct ir *ir = load(json);
    const struct ir_step *all = &ir->steps[ir_step_index(ir, "all")];
    const struct ir_group *group = all->group;
    assert_int_equal(group->mode, IR_GROUP_FOR_EACH);
    assert_int_equal(group->items_kind, IR_ITEMS_FOLDER);
    assert_int_equal(group->folder_step, 0);
    assert_string_equal(group->as, "city");
    assert_int_equal(group->parallelism, 3);
    assert_false(group->fail_fast);
    assert_int_equal(all->retry.max_attempts, 2);
    assert_int_equal(group->branches[0].dag.work, 2);
    assert_int_equal(group->branches[0].dag.count, 3);
    assert_int_equal(group->branches[0].dag.finally_us, 4);
    assert_int_equal(ir_output_find(all, "rmse")->list, 1);
    assert_null(ir_output_find(all, "loss"));
    const struct ir_step *fetch = &ir->steps[ir_step_index(ir, "all/fetch")];
    assert_string_equal(fetch->label, "fetch");
    assert_int_equal(fetch->parent, 1);
    assert_int_equal(fetch->depth, 1);
    assert_int_equal(fetch->need_count, 0);
    assert_int_equal(fetch->see_count, 1);
    assert_int_equal(fetch->sees[0], 0);
    ir_free(ir);
}

static void the_other_groups_are_loaded(void **state)
{
    (void)state;
    cleanup_json json_t *json = json_of(EVERYTHING);
    struct ir *ir = load(json);
    const struct ir_step *choose = &ir->steps[ir_step_index(ir, "choose")];
    assert_int_equal(choose->rule, IR_NONE_FAILED);
    assert_int_equal(choose->group->mode, IR_GROUP_SWITCH);
    assert_int_equal(choose->group->branch_count, 2);
    assert_non_null(choose->group->branches[0].when);
    assert_null(choose->group->branches[1].when);
    assert_int_equal(choose->group->branches[1].dag.steps[0], ir_step_index(ir, "choose/big"));
    const struct ir_group *again = ir->steps[ir_step_index(ir, "again")].group;
    assert_int_equal(again->mode, IR_GROUP_LOOP);
    assert_int_equal(again->max, 20);
    assert_int_equal(again->delay_us, 3);
    const struct ir_group *sub = ir->steps[ir_step_index(ir, "sub")].group;
    assert_int_equal(sub->mode, IR_GROUP_PLAIN);
    assert_true(sub->scope);
    assert_string_equal(sub->origin, "q@00");
    assert_int_equal(sub->params[0].type, IR_INTEGER);
    assert_non_null(sub->params[0].value);
    ir_free(ir);
}

static void what_is_no_group_is_loaded(void **state)
{
    (void)state;
    cleanup_json json_t *json = json_of(EVERYTHING);
    struct ir *ir = load(json);
    const struct ir_step *try = &ir->steps[ir_step_index(ir, "again/try")];
    assert_int_equal(try->retry.exit_code_count, 2);
    assert_int_equal(try->retry.exit_codes[0], 3);
    assert_int_equal(try->retry.not_exit_codes[0], 2);
    assert_string_equal(try->limits[0].name, "db");
    assert_int_equal(try->limits[0].n, 2);
    assert_true(try->cache && try->at_most_once && try->allow_failure);
    assert_int_equal(try->cache_us, 8);
    assert_int_equal(try->heartbeat_us, 11);
    assert_int_equal(try->queue_timeout_us, 12);
    assert_int_equal(try->priority, -100);
    const struct ir_step *hold = &ir->steps[ir_step_index(ir, "hold")];
    assert_string_equal(hold->wait->type, "a.b");
    assert_non_null(hold->wait->filter);
    const struct ir_step *ask = &ir->steps[ir_step_index(ir, "ask")];
    assert_int_equal(ask->approval->by_count, 2);
    assert_int_equal(ask->approval->on_timeout, IR_TIMEOUT_APPROVE);
    const struct ir_step *child = &ir->steps[ir_step_index(ir, "child")];
    assert_string_equal(child->start->pipeline, "q");
    assert_false(child->start->wait);
    const struct ir_step *tell = &ir->steps[ir_step_index(ir, "tell")];
    assert_true(tell->finally);
    assert_int_equal(tell->sees[0], 0);
    ir_free(ir);
}

/* What is put at a place of EVERYTHING ("-" takes it away), and what is said then. */
static const struct broken_ir BROKEN[] = {
    {"/steps/2", "in", "'none'", "there is no step none"},
    {"/steps/2", "in", "'prepare'", "does not begin with prepare/"},
    {"/steps/2", "in", "-", "does not say what it is in"},
    {"/steps/2", "in", "'all/fetch'", "does not begin with all/fetch/"},
    {"/steps/2", "branch", "1", "all/fetch is in a step or branch that holds none"},
    {"/steps/0", "branch", "1", "from 0 to 0"},
    {"/steps/9", "needs", "['prepare']", "prepare is not beside it"},
    {"/steps/7", "needs", "['choose/small']", "choose/small is not beside it"},
    {"/steps/4", "needs", "['all/fit']", "all/fit is not beside it"},
    {"/steps/3", "needs", "['all/clean']", "all/clean is not beside it"},
    {"/steps/3", "sees", "['all/clean']", "all/clean need not be over"},
    {"/steps/3", "sees", "['choose']", "choose need not be over"},
    {"/steps/1", "sees", "['all/fit']", "all/fit need not be over"},
    {"/steps/1", "needs", "[]", "comes from a step that is not needed"},
    {"/steps/1", "for_each", "{}", "one of items, value and from"},
    {"/steps/1", "for_each", "{'items':{}}", "a list of at most 10000"},
    {"/steps/1", "for_each", "{'value':'x'}", "must be one expression"},
    {"/steps/1", "for_each", "{'from':{'step':'prepare','output':'no'}}", "no output no"},
    {"/steps/1", "loop", "{'until':'true','max':1}", "one of for_each, loop and switch"},
    {"/steps/1", "branches", "[]", "there is none"},
    {"/steps/1", "branches", "[{},{}]", "not the last has no when"},
    {"/steps/1", "branches", "[{'when':'true'}]", "one of for_each, loop and switch"},
    {"/steps/1", "branches", "[{'outputs':{'rmse':{'step':'prepare','output':'n'}}}]",
     "prepare is not in it"},
    {"/steps/1", "branches", "[{'outputs':{'rmse':{'step':'all/fit','output':'m'}}}]",
     "has no output m"},
    {"/steps/1", "outputs", "{}", "the group has none of that name"},
    {"/steps/5", "branches", "[{'when':'true'},{'when':'true'},{}]", "a group without a step"},
    {"/steps/8", "loop", "{'until':'true'}", "until and max must be given"},
    {"/steps/8", "loop", "{'max':1}", "until and max must be given"},
    {"/steps/8", "loop", "{'until':'true','max':1001}", "from 1 to 1000"},
    {"/steps/9", "retry", "{'exit_codes':[0]}", "exit codes from 1 to 255"},
    {"/steps/9", "priority", "101", "from -100 to 100"},
    {"/steps/9", "limits", "{'db':0}", "from 1 to"},
    {"/steps/10", "timeout_us", "0", "must have one"},
    {"/steps/10", "wait", "-", "type: is missing"},
    {"/steps/11", "approval", "{'on_timeout':'wait'}", "nothing that this build knows"},
    {"/steps/12", "start", "{}", "pipeline: is missing"},
    {"/steps/14", "kind", "'group'", "branches: there is none"},
    {"/steps/13", "kind", "'run'", "sub/a is in a step or branch that holds none"},
    {"", "outputs", "{'x':{'step':'tell','output':'y'}}", "tell is not in it"},
    {"", "outputs", "{'x':{'step':'all/fit','output':'rmse'}}", "all/fit is not in it"},
    {"", "outputs", "{'x':{'step':'nobody','output':'rmse'}}", "there is no step nobody"},
};

static void what_does_not_hold_together_is_refused(void **state)
{
    (void)state;
    check_broken_ir(EVERYTHING, BROKEN, ARRAY_LEN(BROKEN));
}

/* g, g/g, g/g/g, …: `depth` groups around one step. */
static json_t *nested(int depth)
{
    json_t *steps = json_array();
    cleanup_text struct text name = {0};
    for (int i = 0; i <= depth; i++) {
        cleanup_free char *in = i > 0 ? mem_string(name.data) : NULL;
        text_puts(&name, i > 0 ? "/g" : "g");
        json_t *step = i < depth ? json_pack("{s:s, s:s, s:[{}]}", "name", name.data, "kind",
                                             "group", "branches")
                                 : json_pack("{s:s, s:s}", "name", name.data, "kind", "run");
        if (in)
            json_object_set_new(step, "in", json_string(in));
        json_array_append_new(steps, step);
    }
    return json_pack("{s:i, s:s, s:o}", "ir", 2, "name", "deep", "steps", steps);
}

static void the_limit_of_depth_holds(void **state)
{
    (void)state;
    struct err err = {0};
    cleanup_json json_t *at = nested(IR_DEPTH_MAX);
    struct ir *ir = load(at);
    assert_int_equal(ir->steps[IR_DEPTH_MAX].depth, IR_DEPTH_MAX);
    ir_free(ir);
    cleanup_json json_t *over = nested(IR_DEPTH_MAX + 1);
    assert_null(ir_load(over, &err));
    assert_non_null(strstr(err.text, "more than 16 deep"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_step_has_its_place),
        cmocka_unit_test(a_for_each_is_loaded),
        cmocka_unit_test(the_other_groups_are_loaded),
        cmocka_unit_test(what_is_no_group_is_loaded),
        cmocka_unit_test(what_does_not_hold_together_is_refused),
        cmocka_unit_test(the_limit_of_depth_holds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
